import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useState } from "preact/hooks";

type ButtonKind = "default" | "primary" | "danger" | "plain";

interface ButtonProps extends Omit<JSX.ButtonHTMLAttributes, "size"> {
  readonly kind?: ButtonKind;
  readonly size?: "default" | "small";
}

/** Returns the classes of a button, also for a link that looks like one. */
export function toButtonClass(kind: ButtonKind = "default", size: "default" | "small" = "default"): string {
  return `button${kind === "default" ? "" : ` button-${kind}`}${size === "small" ? " button-small" : ""}`;
}

/** A button. It submits its form only with `type="submit"`. */
export function Button({ kind = "default", size = "default", ...rest }: ButtonProps): JSX.Element {
  return <button type="button" {...rest} class={toButtonClass(kind, size)} />;
}

const COPIED_MS = 2_000;

interface CopyButtonProps {
  readonly text: string;
  /** Names the text, such as `Copy secret`. */
  readonly label?: string;
  readonly kind?: ButtonKind;
}

/** A button that copies a text and confirms it. */
export function CopyButton({ text, label = "Copy", kind = "default" }: CopyButtonProps): JSX.Element {
  const [isCopied, setIsCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return undefined;
    const timer = setTimeout(() => setIsCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async (): Promise<void> => setIsCopied(await copyText(text));
  return (
    <Button kind={kind} size={kind === "primary" ? "default" : "small"} onClick={() => void copy()}>
      <span aria-live="polite">{isCopied ? "Copied" : label}</span>
    </Button>
  );
}

/** Copies a text to the clipboard. @returns whether it succeeded. */
async function copyText(text: string): Promise<boolean> {
  // Browsers offer the clipboard only to pages from https or localhost.
  if (navigator.clipboard === undefined) {
    const area = document.createElement("textarea");
    area.value = text;
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    // oxlint-disable-next-line typescript/no-deprecated -- the only way on a page without TLS
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
  return navigator.clipboard.writeText(text).then(
    () => true,
    () => false,
  );
}

interface ChoicesProps<T extends string> {
  /** Names the choice for screen readers. */
  readonly label: string;
  readonly value: T;
  readonly options: readonly (readonly [value: T, label: string])[];
  readonly onChange: (value: T) => void;
}

/** A choice of one of a few values that are all visible. */
export function Choices<T extends string>({ label, value, options, onChange }: ChoicesProps<T>): JSX.Element {
  const name = useId();
  return (
    <fieldset class="choices">
      <legend class="visually-hidden">{label}</legend>
      {options.map(([option, text]) => (
        <label key={option}>
          <input
            type="radio"
            name={name}
            value={option}
            checked={option === value}
            onChange={() => onChange(option)}
          />
          {text}
        </label>
      ))}
    </fieldset>
  );
}

interface FieldProps {
  readonly label: string;
  readonly hint?: ComponentChildren;
  /** Why the value is invalid. */
  readonly error?: string | undefined;
  /** Renders the control with these attributes, which connect it to its label, hint and error. */
  readonly children: (attributes: FieldAttributes) => ComponentChildren;
}

/** Attributes of the control in a field. */
export interface FieldAttributes {
  readonly id: string;
  readonly class: string;
  readonly "aria-invalid": boolean;
  readonly "aria-describedby": string;
}

/** A control of a form with its label, and with a hint or an error. */
export function Field({ label, hint, error, children }: FieldProps): JSX.Element {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({
        id,
        class: "input",
        "aria-invalid": error !== undefined,
        "aria-describedby": `${id}-hint ${id}-error`,
      })}
      {hint !== undefined && (
        <span class="field-hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      <span class="field-error" id={`${id}-error`} role="alert">
        {error}
      </span>
    </div>
  );
}
