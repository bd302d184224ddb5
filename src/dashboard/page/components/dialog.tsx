import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Button } from "./controls.tsx";

interface DialogProps {
  readonly title: string;
  /** Called when the dialog closes: by Escape, by its button, or by its owner, which then stops rendering it. */
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/**
 * A modal dialog, open while it is rendered. The browser keeps the focus inside and makes the rest of the page inert; the
 * focus returns to the element that had it.
 */
export function Dialog({ title, onClose, children }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const isRemoved = useRef(false);
  const id = useId();
  useEffect(() => {
    const opener = document.activeElement;
    const element = dialog.current;
    element?.showModal();
    return () => {
      // While the dialog is open, the opener is inert and cannot have the focus. Its owner knows that it closes.
      isRemoved.current = true;
      element?.close();
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby={id} onClose={() => !isRemoved.current && onClose()}>
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        <Button kind="plain" size="small" aria-label="Close" onClick={() => dialog.current?.close()}>
          ✕
        </Button>
      </div>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}
