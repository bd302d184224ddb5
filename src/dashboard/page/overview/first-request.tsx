import type { JSX } from "preact";
import { Link } from "wouter-preact";
import { useApi } from "../api/use-api.ts";
import { CopyButton } from "../components/controls.tsx";
import { Card } from "../components/layout.tsx";
import { Empty } from "../components/states.tsx";

/** Shown in place of the charts when the period has no requests: on a fresh gateway, it says how to send the first one. */
export function NoRequests({ isFiltered }: { isFiltered: boolean }): JSX.Element {
  const { data } = useApi<{ data: readonly unknown[] }>(
    "/requests",
    { limit: 1, order: "desc" },
    { isEnabled: !isFiltered },
  );
  if (!isFiltered && data?.data.length === 0) return <FirstRequest />;
  return (
    <Card title="No requests">
      <Empty title="No request ended in this period">
        {isFiltered ? "Remove a filter, or choose a longer period." : "Choose a longer period."}
      </Empty>
    </Card>
  );
}

function FirstRequest(): JSX.Element {
  const command = `curl ${location.origin}/openai/v1/chat/completions \\
  -H "Authorization: Bearer $SLUICE_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}'`;
  return (
    <Card title="Send the first request" actions={<CopyButton text={command} label="Copy command" />}>
      <div class="stack">
        <p>
          The gateway works and has not had a request yet. <Link href="/keys">Create a key</Link>, put it in
          the variable <code>SLUICE_KEY</code>, and run:
        </p>
        <pre tabIndex={0}>
          <code>{command}</code>
        </pre>
        <p class="muted">
          Every OpenAI client works the same way: set its base URL to <code>{location.origin}/openai/v1</code>
          . The request appears here within seconds of its end.
        </p>
      </div>
    </Card>
  );
}
