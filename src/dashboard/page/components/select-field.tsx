import type { JSX } from "preact";
import { Field, type FieldAttributes } from "./controls.tsx";

/** The choices of a list: the value, and what the list shows for it. */
export type SelectOptions = readonly (readonly [value: string, label: string])[];

interface SelectProps {
  /** Undefined selects the choice with the empty value. */
  readonly value: string | undefined;
  readonly options: SelectOptions;
  readonly onChange: (value: string) => void;
}

/** The list of a field. @param props.attributes those that the field gives its control. */
export function Select({
  attributes,
  value = "",
  options,
  onChange,
}: SelectProps & { readonly attributes: FieldAttributes }): JSX.Element {
  return (
    <select {...attributes} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
      {options.map(([option, text]) => (
        <option key={option} value={option}>
          {text}
        </option>
      ))}
    </select>
  );
}

/** A filter whose value is chosen from a list. */
export function SelectField({ label, ...rest }: SelectProps & { readonly label: string }): JSX.Element {
  return <Field label={label}>{(attributes) => <Select attributes={attributes} {...rest} />}</Field>;
}
