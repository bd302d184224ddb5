import type { JSX } from "preact";
import type { IssuedKey } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { CopyButton } from "../components/controls.tsx";
import { Notice, Skeleton } from "../components/states.tsx";
import { formatTime } from "../format/times.ts";
import { createCommand, findSampleModel } from "./sample-command.ts";

/** The secret of a key that was just created or rotated. Nothing but the caller's state has it. */
export function SecretView({ issued }: { readonly issued: IssuedKey }): JSX.Element {
  const { secret, name, previous_secret_until: previousUntil } = issued;
  return (
    <div class="stack">
      <Notice tone="warning">
        <strong>Copy the secret of {name} now</strong>
        <span>
          The gateway keeps only a digest of it. When you close this dialog, nobody can read it again.
        </span>
      </Notice>
      <code class="secret" data-testid="secret">
        {secret}
      </code>
      <div class="row">
        <CopyButton text={secret} label="Copy secret" />
      </div>
      {previousUntil !== null && <p>The previous secret is accepted until {formatTime(previousUntil)}.</p>}
      <SampleCommand issued={issued} />
    </div>
  );
}

function SampleCommand({ issued }: { readonly issued: IssuedKey }): JSX.Element | null {
  const known = findSampleModel(issued.models);
  const { data, error } = useApi<{ data: { id: string }[] }>(
    "/models",
    { key: issued.id },
    { isLive: false, isEnabled: issued.role === "caller" && known === undefined },
  );
  const model = known ?? data?.data[0]?.id;
  // Without the catalogue, no model of the key is known, so there is no command that works.
  if (error !== null || (data !== undefined && model === undefined)) return null;
  if (issued.role === "caller" && model === undefined) return <Skeleton lines={3} />;
  const command = createCommand(location.origin, issued, model ?? "");
  return (
    <>
      <h3>Try it</h3>
      <pre tabIndex={0}>{command}</pre>
      <div class="row">
        <CopyButton text={command} label="Copy command" />
      </div>
    </>
  );
}
