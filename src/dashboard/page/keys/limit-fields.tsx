import type { JSX } from "preact";
import type { ApiError } from "../api/request.ts";
import { Select, type SelectOptions } from "../components/select-field.tsx";
import {
  type BudgetFields,
  type BudgetsFields,
  COUNT_LABELS,
  COUNTS,
  type LimitFields,
} from "./form-values.ts";
import { PERIODS, type Period } from "./key-types.ts";
import { Setting, TextField } from "./text-field.tsx";

const PERIOD_LABELS = { day: "Per day", week: "Per week", month: "Per month", total: "In total" } as const;
interface BudgetsProps {
  readonly legend: string;
  /** The member of the body, such as `limits.budgets`. */
  readonly path: string;
  readonly value: BudgetsFields;
  readonly error: ApiError | undefined;
  readonly onValue: (value: BudgetsFields) => void;
}

/** The fields of the budgets of a key, a group, or the end users of a key. */
export function BudgetsFieldset({ legend, path, value, error, onValue }: BudgetsProps): JSX.Element {
  return (
    <fieldset class="stack">
      <legend>{legend}</legend>
      <p class="field-hint">
        US dollars per UTC period; an empty field is no budget. A hard budget admits a request only if its
        worst case fits in; a soft one admits requests until the limit is spent.
      </p>
      <div class="field-grid field-grid-four">
        {PERIODS.map((period) => (
          <BudgetField
            key={period}
            period={period}
            path={`${path}.${period}`}
            value={value[period]}
            error={error}
            onValue={(budget) => onValue({ ...value, [period]: budget })}
          />
        ))}
      </div>
    </fieldset>
  );
}

interface BudgetProps {
  readonly period: Period;
  readonly path: string;
  readonly value: BudgetFields;
  readonly error: ApiError | undefined;
  readonly onValue: (value: BudgetFields) => void;
}

function BudgetField({ period, path, value, error, onValue }: BudgetProps): JSX.Element {
  const label = PERIOD_LABELS[period];
  return (
    <div class="stack">
      <TextField
        label={`${label}, USD`}
        path={path}
        error={error}
        value={value.limit}
        input={{ inputMode: "decimal", placeholder: "no budget" }}
        onValue={(limit) => onValue({ ...value, limit })}
      />
      {value.limit.trim() !== "" && (
        <select
          class="input"
          aria-label={`${label}: hard or soft`}
          value={value.mode}
          onChange={(event) => onValue({ ...value, mode: event.currentTarget.value as BudgetFields["mode"] })}
        >
          <option value="hard">hard</option>
          <option value="soft">soft</option>
        </select>
      )}
    </div>
  );
}

interface LimitsProps {
  readonly value: LimitFields;
  readonly error: ApiError | undefined;
  readonly onValue: (value: LimitFields) => void;
}

/** The fields of the limits of a key or a group. */
export function LimitsFieldset({ value, error, onValue }: LimitsProps): JSX.Element {
  return (
    <>
      <BudgetsFieldset
        legend="Budgets"
        path="limits.budgets"
        value={value.budgets}
        error={error}
        onValue={(budgets) => onValue({ ...value, budgets })}
      />
      <fieldset class="stack">
        <legend>Limits</legend>
        <div class="field-grid field-grid-four">
          {COUNTS.map((name) => (
            <TextField
              key={name}
              label={COUNT_LABELS[name]}
              path={`limits.${name}`}
              error={error}
              value={value[name]}
              input={{ inputMode: "numeric", placeholder: "no limit" }}
              onValue={(count) => onValue({ ...value, [name]: count })}
            />
          ))}
        </div>
      </fieldset>
    </>
  );
}

interface SelectProps {
  readonly label: string;
  readonly path: string;
  readonly error: ApiError | undefined;
  readonly value: string;
  readonly options: SelectOptions;
  readonly onValue: (value: string) => void;
}

/** A setting with a choice of a list. */
export function SelectSetting({ value, options, onValue, ...rest }: SelectProps): JSX.Element {
  return (
    <Setting {...rest}>
      {(attributes) => <Select attributes={attributes} value={value} options={options} onChange={onValue} />}
    </Setting>
  );
}
