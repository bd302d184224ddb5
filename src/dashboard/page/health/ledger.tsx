import type { JSX } from "preact";
import { Link } from "wouter-preact";
import type { HealthJson } from "../../../admin/health-schema.ts";
import { Card, Stat, Stats } from "../components/layout.tsx";
import { formatCount } from "../format/numbers.ts";
import { formatDuration } from "../format/times.ts";
import { formatAtMost } from "./problems.ts";

/** The requests whose cost is not known yet, and what this replica has still to write. */
export function Ledger({ health: { ledger } }: { health: HealthJson }): JSX.Element {
  const { backlog_max: max, pending, oldest_pending_ms: oldestMs } = ledger;
  return (
    <Card title="Ledger: the way of each request to its cost">
      <div class="stack">
        <Stats>
          <Stat label="In flight" hint="All replicas: not ended yet">
            <Link href="/requests?state=open">{formatAtMost(ledger.open, max)}</Link>
          </Stat>
          <Stat
            label="Cost to be looked up"
            hint={
              pending === null || pending === 0
                ? "All replicas"
                : `All replicas; the oldest ended ${formatDuration(oldestMs)} ago`
            }
          >
            <Link href="/requests?state=pending">{formatAtMost(pending, max)}</Link>
          </Stat>
          <Stat label="Cost unknown for good" hint="All replicas, as long as records are kept">
            <Link href="/requests?state=unknown">{formatAtMost(ledger.unknown, max)}</Link>
          </Stat>
        </Stats>
        <Stats>
          <Stat label="Waiting for the database" hint="Records of this replica, safe in its journal">
            {formatCount(ledger.queue_rows)}
          </Stat>
          <Stat label="Cost above the reservation" hint="Requests of this replica since its start">
            {formatCount(ledger.overruns)}
          </Stat>
          <Stat label="Rejected by the database" hint="Records of this replica since its start">
            {formatCount(ledger.quarantined_rows)}
          </Stat>
        </Stats>
      </div>
    </Card>
  );
}
