import type { JSX } from "preact";
import type { LedgerRecord } from "../api/types.ts";
import { Time } from "../components/values.tsx";
import { describeResult } from "../format/outcomes.ts";
import { formatDuration } from "../format/times.ts";

interface TimelineEvent {
  readonly label: string;
  /** ISO 8601; null: not recorded. */
  readonly at: string | null;
  /** Time from the start of the request, in ms. */
  readonly offsetMs?: number | null;
}

/** The events of a request, drawn to scale and as a list. */
export function Timeline({ record }: { record: LedgerRecord }): JSX.Element {
  const { first_byte_ms: firstByteMs, total_ms: totalMs } = record;
  return (
    <div class="stack">
      {totalMs !== null && <Bar firstByteMs={firstByteMs ?? totalMs} totalMs={totalMs} />}
      <ol class="timeline">
        {listEvents(record).map(({ label, at, offsetMs }) => (
          <li key={label}>
            <span>{label}</span>
            <span class="muted small">
              {at !== null && <Time at={at} />}
              {offsetMs !== undefined && offsetMs !== null && ` (+${formatDuration(offsetMs)})`}
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}

/** The two phases of a request: waiting for the first byte, and the response. */
function Bar({ firstByteMs, totalMs }: { firstByteMs: number; totalMs: number }): JSX.Element {
  const share = totalMs === 0 ? 100 : Math.min(100, (firstByteMs / totalMs) * 100);
  const response = totalMs - firstByteMs;
  const label = `Waited ${formatDuration(firstByteMs)} for the first byte, then ${formatDuration(response)} for the rest`;
  return (
    <div class="stack">
      <div class="phases" role="img" aria-label={label} title={label}>
        <span style={{ width: `${share}%` }} />
        <span class="phase-response" style={{ width: `${100 - share}%` }} />
      </div>
      <div class="phase-key small muted">
        <span class="key-wait">Wait for the first byte: {formatDuration(firstByteMs)}</span>
        <span class="key-response">Response: {formatDuration(response)}</span>
      </div>
    </div>
  );
}

function listEvents(record: LedgerRecord): TimelineEvent[] {
  const { started_at: start, ended_at: end, first_byte_ms: firstByteMs, outcome, settlement } = record;
  const events: TimelineEvent[] = [{ label: "Received", at: start }];
  if (firstByteMs !== null) {
    const at = new Date(Date.parse(start) + firstByteMs).toISOString();
    events.push({ label: "First byte of the response", at, offsetMs: firstByteMs });
  }
  if (outcome === null) events.push({ label: "In flight", at: null });
  else events.push({ label: `Ended: ${describeResult(record)}`, at: end, offsetMs: record.total_ms });
  if (settlement.attempts > 0)
    events.push({ label: `Cost lookups without a final cost: ${settlement.attempts}`, at: null });
  if (settlement.next_attempt_at !== null)
    events.push({ label: "Next cost lookup", at: settlement.next_attempt_at });
  const cost = describeCost(record);
  if (cost !== undefined) events.push({ label: cost, at: null });
  return events;
}

/** Sources of costs in words. */
const COST_SOURCES: Readonly<Record<NonNullable<LedgerRecord["cost_source"]>, string>> = {
  stream: "Cost known: the end of the stream stated it",
  body: "Cost known: the response stated it",
  generation: "Cost known: OpenRouter's record of the generation stated it",
  operator: "Cost known: an operator stated it",
  none: "Cost known: nothing was charged",
  unknown: "The cost will never be known",
};

function describeCost({ cost_source: source, state }: LedgerRecord): string | undefined {
  if (source !== null) return COST_SOURCES[source];
  return state === "pending" ? "Waits for its cost" : undefined;
}
