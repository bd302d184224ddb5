import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError } from "./api/request.ts";
import { useSessionActions } from "./api/session.ts";
import { Button, Field } from "./components/controls.tsx";

/** The form that exchanges an admin key for a session. The key is kept only in the field until the form is submitted. */
export function SignIn(): JSX.Element {
  const { signIn } = useSessionActions();
  const [error, setError] = useState<string>();
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const key = new FormData(event.currentTarget as HTMLFormElement).get("key");
    if (typeof key !== "string") return;
    await signIn(key).catch((failure: unknown) => {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure.message);
    });
  };
  return (
    <main class="main">
      <h1>Sign in</h1>
      <form class="form" onSubmit={(event) => void submit(event)}>
        <Field label="Admin key" error={error}>
          {(attributes) => (
            <input {...attributes} type="password" name="key" autocomplete="current-password" required />
          )}
        </Field>
        <Button kind="primary" type="submit">
          Sign in
        </Button>
      </form>
    </main>
  );
}
