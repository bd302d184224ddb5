import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { requestApi } from "../api/request.ts";
import type { IssuedKey, Key } from "../api/types.ts";
import { Button, Choices, Field } from "../components/controls.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ErrorNotice, Notice } from "../components/states.tsx";
import { findChanges, toKeyBody, toKeyFields } from "./form-values.ts";
import { KEY_PATHS, KeyFieldset } from "./key-fields.tsx";
import { SelectSetting } from "./limit-fields.tsx";
import { SecretView } from "./secret-view.tsx";
import { FormError } from "./text-field.tsx";
import { useAction } from "./use-action.ts";

interface FormProps {
  /** The text of the button that submits the form. */
  readonly action: string;
  readonly kind?: "primary" | "danger";
  readonly isPending: boolean;
  readonly isDisabled?: boolean;
  readonly onSubmit: () => void;
  readonly children: ComponentChildren;
}

/** A form in a dialog. The API validates it, so that its messages are the same everywhere. */
export function DialogForm({
  action,
  kind = "primary",
  isPending,
  isDisabled = false,
  onSubmit,
  children,
}: FormProps): JSX.Element {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    // The field that the API refuses may be out of sight, far above the button.
    if (!isPending) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [isPending]);
  return (
    <form
      ref={form}
      class="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      {children}
      <div class="dialog-actions">
        <Button onClick={(event) => event.currentTarget.closest("dialog")?.close()}>Cancel</Button>
        <Button type="submit" kind={kind} disabled={isPending || isDisabled}>
          {isPending ? "Please wait…" : action}
        </Button>
      </div>
    </form>
  );
}

/** Returns the path of a key. */
export function toKeyPath({ id }: Pick<Key, "id">): string {
  return `/keys/${encodeURIComponent(id)}`;
}

interface CloseProps {
  readonly onClose: () => void;
}
interface KeyDialogProps extends CloseProps {
  readonly apiKey: Key;
}

/** Creates a key and shows its secret once. */
export function CreateKeyDialog({ onClose }: CloseProps): JSX.Element {
  const [fields, setFields] = useState(() => toKeyFields());
  const [role, setRole] = useState<Key["role"]>("caller");
  const [issued, setIssued] = useState<IssuedKey>();
  const { isPending, error, run } = useAction();
  const create = (): void =>
    run(async () => {
      const changes = findChanges(toKeyBody(toKeyFields()), toKeyBody(fields));
      const body = { role, ...changes, name: fields.name.trim() };
      setIssued(await requestApi<IssuedKey>("/keys", { method: "POST", body }));
    });
  // One dialog shows the form and the secret, because a second one could not return the focus to the button of the page.
  if (issued)
    return (
      <Dialog title="Key created" onClose={onClose}>
        <SecretView issued={issued} onClose={onClose} />
      </Dialog>
    );
  return (
    <Dialog title="Create a key" onClose={onClose}>
      <DialogForm action="Create key" isPending={isPending} onSubmit={create}>
        <Choices
          label="Role"
          value={role}
          options={[
            ["caller", "For models"],
            ["admin", "For the admin API"],
          ]}
          onChange={setRole}
        />
        {role === "admin" && (
          <Notice tone="warning">An admin key can sign in here, create keys and read all requests.</Notice>
        )}
        <KeyFieldset value={fields} error={error} onValue={setFields} />
        <FormError error={error} paths={KEY_PATHS} />
      </DialogForm>
    </Dialog>
  );
}

/** Changes the settings of a key. Only changed settings are sent. */
export function EditKeyDialog({ apiKey, onClose }: KeyDialogProps): JSX.Element {
  const [before] = useState(() => toKeyFields(apiKey));
  const [fields, setFields] = useState(before);
  const { isPending, error, run } = useAction();
  const changes = findChanges(toKeyBody(before), toKeyBody(fields));
  const save = (): void =>
    run(async () => {
      await requestApi(toKeyPath(apiKey), { method: "PATCH", body: changes });
      onClose();
    });
  return (
    <Dialog title={`Edit ${apiKey.name}`} onClose={onClose}>
      <DialogForm
        action="Save changes"
        isPending={isPending}
        isDisabled={Object.keys(changes).length === 0}
        onSubmit={save}
      >
        <KeyFieldset value={fields} error={error} onValue={setFields} />
        <FormError error={error} paths={KEY_PATHS} />
      </DialogForm>
    </Dialog>
  );
}

const HOUR_MS = 3_600_000;
const GRACES = [
  ["0", "no time: it ends at once"],
  [String(HOUR_MS), "1 hour"],
  [String(24 * HOUR_MS), "1 day"],
  [String(7 * 24 * HOUR_MS), "7 days"],
  [String(30 * 24 * HOUR_MS), "30 days"],
] as const;

/** Replaces the secret of a key and shows the new one once. */
export function RotateDialog({ apiKey, onClose }: KeyDialogProps): JSX.Element {
  const [grace, setGrace] = useState(String(24 * HOUR_MS));
  const [issued, setIssued] = useState<IssuedKey>();
  const { isPending, error, run } = useAction();
  const rotate = (): void =>
    run(async () => {
      const body = { grace_ms: Number(grace) };
      setIssued(await requestApi<IssuedKey>(`${toKeyPath(apiKey)}/rotate`, { method: "POST", body }));
    });
  if (issued)
    return (
      <Dialog title="Secret replaced" onClose={onClose}>
        <SecretView issued={issued} onClose={onClose} />
      </Dialog>
    );
  return (
    <Dialog title={`Rotate ${apiKey.name}`} onClose={onClose}>
      <DialogForm action="Replace the secret" isPending={isPending} onSubmit={rotate}>
        <p>The key gets a new secret. Its settings, budgets and usage stay.</p>
        <SelectSetting
          label="The current secret stays valid for"
          path="grace_ms"
          error={error}
          value={grace}
          options={GRACES}
          onValue={setGrace}
        />
        <FormError error={error} paths={["grace_ms"]} />
      </DialogForm>
    </Dialog>
  );
}

/** Revokes a key permanently, after its name has been typed. */
export function RevokeDialog({ apiKey, onClose }: KeyDialogProps): JSX.Element {
  const [typed, setTyped] = useState("");
  const { isPending, error, run } = useAction();
  const revoke = (): void =>
    run(async () => {
      await requestApi(toKeyPath(apiKey), { method: "DELETE" });
      onClose();
    });
  return (
    <Dialog title={`Revoke ${apiKey.name}`} onClose={onClose}>
      <DialogForm
        action="Revoke key"
        kind="danger"
        isPending={isPending}
        isDisabled={typed !== apiKey.name}
        onSubmit={revoke}
      >
        <p>
          The gateway refuses a revoked key permanently. To refuse it for a time, disable it instead. Its
          requests and costs stay in the ledger.
        </p>
        <Field label={`Type ${apiKey.name} to confirm`}>
          {(attributes) => (
            <input
              {...attributes}
              autocomplete="off"
              value={typed}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          )}
        </Field>
        {error && <ErrorNotice error={error} />}
      </DialogForm>
    </Dialog>
  );
}
