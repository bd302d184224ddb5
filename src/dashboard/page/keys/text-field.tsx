import type { ComponentChildren, JSX } from "preact";
import type { ApiError } from "../api/request.ts";
import { Field, type FieldAttributes } from "../components/controls.tsx";
import { ErrorNotice } from "../components/states.tsx";
import { isErrorOf } from "./form-values.ts";

interface SettingProps {
  readonly label: string;
  readonly hint?: ComponentChildren;
  /** The member of the body that the field sets, such as `limits.max_in_flight`. */
  readonly path: string;
  readonly error: ApiError | undefined;
  readonly children: (attributes: FieldAttributes) => ComponentChildren;
}

/** A field of a form, with the error that the API reports for it. */
export function Setting({ path, error, ...rest }: SettingProps): JSX.Element {
  return <Field {...rest} error={error && isErrorOf(path, error.param) ? error.message : undefined} />;
}

interface TextFieldProps extends Omit<SettingProps, "children"> {
  readonly value: string;
  readonly onValue: (value: string) => void;
  /** Whether the text has several lines. */
  readonly isLong?: boolean;
  readonly input?: JSX.InputHTMLAttributes;
}

/** A field with a text. */
export function TextField({ value, onValue, isLong, input, ...rest }: TextFieldProps): JSX.Element {
  return (
    <Setting {...rest}>
      {(attributes) =>
        isLong === true ? (
          <textarea
            {...attributes}
            rows={3}
            spellcheck={false}
            value={value}
            onInput={(event) => onValue(event.currentTarget.value)}
          />
        ) : (
          <input
            {...input}
            {...attributes}
            autocomplete="off"
            spellcheck={false}
            value={value}
            onInput={(event) => onValue(event.currentTarget.value)}
          />
        )
      }
    </Setting>
  );
}

interface FormErrorProps {
  readonly error: ApiError | undefined;
  /** The members that have a field, which shows its own error. */
  readonly paths: readonly string[];
}

/** The error of a form that none of its fields shows. */
export function FormError({ error, paths }: FormErrorProps): JSX.Element | null {
  if (!error || paths.some((path) => isErrorOf(path, error.param))) return null;
  return <ErrorNotice error={error} />;
}
