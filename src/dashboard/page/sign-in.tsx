import { useQueryClient } from "@tanstack/preact-query";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api/request.ts";
import { hasSessionEnded, useSessionActions } from "./api/session.ts";
import { Button, Field } from "./components/controls.tsx";
import { Notice } from "./components/states.tsx";
import { Brand } from "./shell.tsx";
import "./styles/sign-in.css";

/** The form that exchanges an admin key for a session. The key is kept only in the field until the form is submitted. */
export function SignIn(): JSX.Element {
  const { signIn } = useSessionActions();
  const client = useQueryClient();
  const [hasEnded] = useState(() => hasSessionEnded(client));
  const [isSending, setIsSending] = useState(false);
  const [error, setError] = useState<string>();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = "Sign in · Sluice";
    input.current?.focus();
  }, []);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    // A key that is copied from a terminal often ends with a line break or a space.
    const key = input.current?.value.trim() ?? "";
    if (key === "" || isSending) return;
    setIsSending(true);
    setError(undefined);
    try {
      await signIn(key);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(describeFailure(failure));
      setIsSending(false);
      input.current?.select();
    }
  };
  return (
    <main class="sign-in">
      <form class="form card sign-in-card" onSubmit={(event) => void submit(event)} aria-busy={isSending}>
        <h1 class="sign-in-title">
          <Brand /> Sign in to Sluice
        </h1>
        {hasEnded && error === undefined && (
          <Notice tone="warning">Your session has expired. Sign in again to continue.</Notice>
        )}
        <Field
          label="Admin key"
          hint="A key with the role admin. It is sent once and is not stored in this browser by the page."
          error={error}
        >
          {(attributes) => (
            <input
              {...attributes}
              ref={input}
              type="password"
              name="key"
              autocomplete="current-password"
              maxLength={512}
              required
            />
          )}
        </Field>
        <Button kind="primary" type="submit" disabled={isSending}>
          {isSending ? "Signing in…" : "Sign in"}
        </Button>
      </form>
    </main>
  );
}

function describeFailure({ status, message, retryAfterSeconds }: ApiError): string {
  if (status !== 429) return message;
  const wait = retryAfterSeconds === undefined ? "later" : `in ${Math.ceil(retryAfterSeconds)} seconds`;
  return `Too many failed sign-ins from this address. Try again ${wait}.`;
}
