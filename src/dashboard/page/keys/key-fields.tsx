import type { JSX } from "preact";
import type { ApiError } from "../api/request.ts";
import { useApi } from "../api/use-api.ts";
import type { KeyFields } from "./form-values.ts";
import type { Listed, ListedGroup } from "./key-types.ts";
import { BudgetsFieldset, LimitsFieldset, SelectSetting } from "./limit-fields.tsx";
import { TextField } from "./text-field.tsx";

/** The members of a key's body that have a field in the form. */
export const KEY_PATHS = [
  "name",
  "role",
  "owner",
  "group",
  "models",
  "aliases",
  "metadata",
  "expires_at",
  "on_disconnect",
  "limits",
  "end_users",
  "unbounded_reservation_usd",
];
/** Groups that the choice of a group has. */
const GROUPS_MAX = 500;

interface KeyFieldsProps {
  readonly value: KeyFields;
  readonly error: ApiError | undefined;
  readonly onValue: (value: KeyFields) => void;
}

/** The fields of a key, of which the usual ones come first. */
export function KeyFieldset({ value, error, onValue }: KeyFieldsProps): JSX.Element {
  const set = (changes: Partial<KeyFields>): void => onValue({ ...value, ...changes });
  return (
    <>
      <UsualFields value={value} error={error} onValue={onValue} />
      <TextField
        label="Models"
        path="models"
        error={error}
        value={value.models}
        isLong
        hint="Model ids or patterns such as google/* or *:free, one per line; empty: every model"
        onValue={(models) => set({ models })}
      />
      <LimitsFieldset value={value.limits} error={error} onValue={(limits) => set({ limits })} />
      <MoreFields value={value} error={error} onValue={onValue} />
    </>
  );
}

function UsualFields({ value, error, onValue }: KeyFieldsProps): JSX.Element {
  const set = (changes: Partial<KeyFields>): void => onValue({ ...value, ...changes });
  return (
    <div class="field-grid">
      <TextField
        label="Name"
        path="name"
        error={error}
        value={value.name}
        input={{ required: true, maxLength: 64 }}
        hint="Letters, digits, dots, underscores and hyphens"
        onValue={(name) => set({ name })}
      />
      <TextField
        label="Owner"
        path="owner"
        error={error}
        value={value.owner}
        hint="Optional: a person or a team"
        onValue={(owner) => set({ owner })}
      />
      <GroupField value={value.group} error={error} onValue={(group) => set({ group })} />
      <TextField
        label="Expires"
        path="expires_at"
        error={error}
        value={value.expires_at}
        input={{ type: "datetime-local" }}
        hint="Your time zone; empty: never"
        onValue={(expires_at) => set({ expires_at })}
      />
    </div>
  );
}

function GroupField(props: {
  readonly value: string;
  readonly error: ApiError | undefined;
  readonly onValue: (group: string) => void;
}): JSX.Element {
  const { data } = useApi<Listed<ListedGroup>>("/groups", { limit: GROUPS_MAX });
  const names = data?.data.map(({ name }) => name) ?? [];
  // The current group stays a choice while the list loads.
  const shown = props.value === "" || names.includes(props.value) ? names : [props.value, ...names];
  const options = [["", "none"] as const, ...shown.map((name) => [name, name] as const)];
  return <SelectSetting label="Group" path="group" options={options} {...props} />;
}

function MoreFields({ value, error, onValue }: KeyFieldsProps): JSX.Element {
  const set = (changes: Partial<KeyFields>): void => onValue({ ...value, ...changes });
  const isOpen = ["aliases", "metadata", "on_disconnect", "end_users", "unbounded_reservation_usd"].some(
    (name) => error?.param?.startsWith(name),
  );
  return (
    <details open={isOpen}>
      <summary>End users, aliases and more</summary>
      <div class="form">
        <EndUserFields value={value} error={error} onValue={onValue} />
        <SelectSetting
          label="When a client disconnects"
          path="on_disconnect"
          error={error}
          value={value.on_disconnect}
          options={[
            ["cancel", "cancel the request"],
            ["drain", "read the response to its end"],
          ]}
          onValue={(choice) => set({ on_disconnect: choice === "drain" ? "drain" : "cancel" })}
        />
        <TextField
          label="Reservation for requests without a bound, USD"
          path="unbounded_reservation_usd"
          error={error}
          value={value.unbounded_reservation_usd}
          input={{ inputMode: "decimal" }}
          hint="Empty: hard budgets refuse a request whose cost has no bound"
          onValue={(unbounded_reservation_usd) => set({ unbounded_reservation_usd })}
        />
        <TextField
          label="Aliases"
          path="aliases"
          error={error}
          value={value.aliases}
          isLong
          hint="One per line, such as fast = google/gemini-3-flash-preview"
          onValue={(aliases) => set({ aliases })}
        />
        <TextField
          label="Metadata"
          path="metadata"
          error={error}
          value={value.metadata}
          isLong
          hint="One per line, such as team = research"
          onValue={(metadata) => set({ metadata })}
        />
      </div>
    </details>
  );
}

function EndUserFields({ value, error, onValue }: KeyFieldsProps): JSX.Element {
  const set = (changes: Partial<KeyFields>): void => onValue({ ...value, ...changes });
  return (
    <>
      <TextField
        label="End users"
        path="end_users.source"
        error={error}
        value={value.end_user_source}
        hint="Source of the names of end users: user, or header: and a header, such as header:x-openwebui-user-email"
        onValue={(end_user_source) => set({ end_user_source })}
      />
      <BudgetsFieldset
        legend="Budgets of each end user"
        path="end_users.budgets"
        value={value.end_user_budgets}
        error={error}
        onValue={(end_user_budgets) => set({ end_user_budgets })}
      />
    </>
  );
}
