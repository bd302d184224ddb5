import type { JSX } from "preact";
import { Link } from "wouter-preact";
import type { FailureLine, FailureReport } from "../api/types.ts";
import { useApi } from "../api/use-api.ts";
import { Card } from "../components/layout.tsx";
import { FailureText } from "../components/result.tsx";
import { Empty, Loaded } from "../components/states.tsx";
import { Age } from "../components/values.tsx";
import { formatCount } from "../format/numbers.ts";
import { formatTime } from "../format/times.ts";
import { toIso } from "./period.ts";
import type { Filter } from "./use-filter.ts";

const SHOWN_MAX = 7;

/** The most frequent failures of the period, in words. */
export function Failures({ filter }: { filter: Filter }): JSX.Element {
  const { period, values } = filter;
  const query = useApi<FailureReport>("/failures", { from: toIso(period.from), to: toIso(period.to) });
  const isShown = (line: FailureLine): boolean =>
    (["model", "provider", "endpoint"] as const).every(
      (name) => values[name] === undefined || line[name] === values[name],
    );
  return (
    <Card
      title="What fails"
      actions={<Link href={filter.toRequestsHref({ failed: "true" })}>All failed requests</Link>}
      isFlush
    >
      <Loaded query={query} lines={6}>
        {({ data, from, is_complete: isComplete }) => (
          <>
            <FailureList lines={data.filter(isShown)} />
            {(values.key ?? values.group) !== undefined && (
              <p class="card-note">Of all keys: failures are not counted by key.</p>
            )}
            {!isComplete && (
              <p class="card-note">Since {formatTime(from)}; older requests are not counted.</p>
            )}
          </>
        )}
      </Loaded>
    </Card>
  );
}

function FailureList({ lines }: { lines: readonly FailureLine[] }): JSX.Element {
  if (lines.length === 0) return <Empty title="Nothing failed in this period" />;
  const rest = lines.slice(SHOWN_MAX).reduce((sum, { requests }) => sum + requests, 0);
  return (
    <>
      <ul class="failures">
        {lines.slice(0, SHOWN_MAX).map((line) => (
          <Failure
            key={JSON.stringify([line.endpoint, line.model, line.provider, line.status, line.outcome])}
            line={line}
          />
        ))}
      </ul>
      {rest > 0 && <p class="card-note">{formatCount(rest)} more failed for other reasons.</p>}
    </>
  );
}

function Failure({ line }: { line: FailureLine }): JSX.Element {
  return (
    <li>
      <span class="failure-count">{formatCount(line.requests)} ×</span>
      <span class="failure-text">
        <FailureText line={line} />
        <span class="muted failure-subject">{line.model ?? line.endpoint}</span>
      </span>
      <Link class="small nowrap" href={`/requests/${encodeURIComponent(line.last_id)}`}>
        <Age at={line.last_at} />
        <span class="visually-hidden">: show this request</span>
      </Link>
    </li>
  );
}
