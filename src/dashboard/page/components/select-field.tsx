import type { JSX } from "preact";
import { Field } from "./controls.tsx";

/** The choices of a list: the value, and what the list shows for it. */
export type SelectOptions = readonly (readonly [value: string, label: string])[];

interface SelectFieldProps {
  readonly label: string;
  /** Undefined selects the choice with the empty value. */
  readonly value: string | undefined;
  readonly options: SelectOptions;
  readonly onChange: (value: string) => void;
}

/** A filter whose value is chosen from a list. */
export function SelectField({ label, value = "", options, onChange }: SelectFieldProps): JSX.Element {
  return (
    <Field label={label}>
      {(attributes) => (
        <select {...attributes} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          {options.map(([option, text]) => (
            <option key={option} value={option}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
