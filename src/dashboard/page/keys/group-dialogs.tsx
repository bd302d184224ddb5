import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { requestApi } from "../api/request.ts";
import type { Group } from "../api/types.ts";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice } from "../components/states.tsx";
import { findChanges, type GroupFields, toGroupBody, toGroupFields } from "./form-values.ts";
import { DialogForm } from "./key-dialogs.tsx";
import { LimitsFieldset } from "./limit-fields.tsx";
import { FormError, TextField } from "./text-field.tsx";
import { useAction } from "./use-action.ts";

interface CloseProps {
  readonly onClose: () => void;
}
interface GroupDialogProps extends CloseProps {
  readonly group: Group;
}

const toGroupPath = ({ id }: Group): string => `/groups/${encodeURIComponent(id)}`;

/** Creates a group. */
export function CreateGroupDialog({ onClose }: CloseProps): JSX.Element {
  return <GroupDialog title="Create a group" action="Create group" onClose={onClose} group={undefined} />;
}

/** Changes a group, which also concerns its keys. Only changed settings are sent. */
export function EditGroupDialog({ group, onClose }: GroupDialogProps): JSX.Element {
  return <GroupDialog title={`Edit ${group.name}`} action="Save changes" onClose={onClose} group={group} />;
}

interface DialogProps extends CloseProps {
  readonly title: string;
  readonly action: string;
  /** undefined: a new group. */
  readonly group: Group | undefined;
}

function GroupDialog({ title, action, group, onClose }: DialogProps): JSX.Element {
  const [before] = useState(() => toGroupFields(group));
  const [fields, setFields] = useState<GroupFields>(before);
  const { isPending, error, run } = useAction();
  const changes = findChanges(toGroupBody(before), toGroupBody(fields));
  const save = (): void =>
    run(async () => {
      if (group) await requestApi(toGroupPath(group), { method: "PATCH", body: changes });
      else await requestApi("/groups", { method: "POST", body: { ...changes, name: fields.name.trim() } });
      onClose();
    });
  return (
    <Dialog title={title} onClose={onClose}>
      <DialogForm
        action={action}
        isPending={isPending}
        isDisabled={group !== undefined && Object.keys(changes).length === 0}
        onSubmit={save}
      >
        <TextField
          label="Name"
          path="name"
          error={error}
          value={fields.name}
          hint="Letters, digits, dots, underscores and hyphens"
          onValue={(name) => setFields({ ...fields, name })}
        />
        <LimitsFieldset
          value={fields.limits}
          error={error}
          onValue={(limits) => setFields({ ...fields, limits })}
        />
        <FormError error={error} paths={["name", "limits"]} />
      </DialogForm>
    </Dialog>
  );
}

/** Deletes a group. The API refuses it while keys belong to the group. */
export function DeleteGroupDialog({ group, onClose }: GroupDialogProps): JSX.Element {
  const { isPending, error, run } = useAction();
  const remove = (): void =>
    run(async () => {
      await requestApi(toGroupPath(group), { method: "DELETE" });
      onClose();
    });
  return (
    <Dialog title={`Delete ${group.name}`} onClose={onClose}>
      <DialogForm action="Delete group" kind="danger" isPending={isPending} onSubmit={remove}>
        <p>Only a group without keys can be deleted. Requests in the ledger keep its id.</p>
        {error && <ErrorNotice error={error} />}
      </DialogForm>
    </Dialog>
  );
}
