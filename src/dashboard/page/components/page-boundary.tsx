import type { ComponentChildren, JSX } from "preact";
import { useErrorBoundary } from "preact/hooks";
import { Button } from "./controls.tsx";
import { Notice } from "./states.tsx";

/** Shows that a page could not be drawn, in place of a blank window. The navigation still works. */
export function PageBoundary({ children }: { readonly children: ComponentChildren }): JSX.Element {
  const [error, reset] = useErrorBoundary() as [unknown, () => void];
  if (error === undefined) return <>{children}</>;
  return (
    <Notice tone="bad">
      <strong>This page could not be shown</strong>
      <span>
        This is an error of the dashboard, not of the gateway
        {error instanceof Error && `: ${error.message}`}
      </span>
      <Button size="small" onClick={reset}>
        Try again
      </Button>
    </Notice>
  );
}
