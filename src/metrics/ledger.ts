import { countWaitingAlerts } from "../alerts/sql/alert-queue.ts";
import { readLedgerBacklog } from "../metering/sql/ledger-backlog.ts";
import type { UsageRecorder } from "../metering/usage-recorder.ts";
import type { Persistence } from "../persistence.ts";
import type { Database } from "../store/database.ts";
import type { CollectorRegistry } from "./collector-registry.ts";

/** However many scrapers there are, the queries run only once in this time. */
export const DATABASE_CACHE_MS = 10_000;

/** Adds the metrics of the ledger: of this process, and of the database that all replicas share. */
export function registerLedger(collectors: CollectorRegistry, { recorder, database }: Persistence): void {
  addQueue(collectors, recorder);
  addBacklog(collectors, database);
}

function addQueue(collectors: CollectorRegistry, recorder: UsageRecorder): void {
  collectors.add({
    name: "ledger",
    metrics: {
      sluice_ledger_queue_rows: {
        type: "gauge",
        help: "Rows of ended requests, in memory or in the journal, that wait to be written to the database.",
      },
      sluice_journal_bytes: { type: "gauge", help: "Size of the journal of this process." },
      sluice_journal_max_bytes: { type: "gauge", help: "JOURNAL_MAX_BYTES." },
      sluice_ledger_unknown_costs_total: {
        type: "counter",
        help: "Requests whose cost this process gave up as unknown.",
      },
      sluice_ledger_overruns_total: {
        type: "counter",
        help: "Requests that cost more than their budgets had reserved.",
      },
      sluice_ledger_quarantined_rows_total: { type: "counter", help: "Rows that the database rejected." },
    },
    read: () => {
      const { rows, journalBytes, journalMaxBytes } = recorder.queue;
      const { unknownCosts, overruns, quarantinedRows } = recorder.totals;
      return {
        sluice_ledger_queue_rows: rows,
        sluice_journal_bytes: journalBytes,
        sluice_journal_max_bytes: journalMaxBytes,
        sluice_ledger_unknown_costs_total: unknownCosts,
        sluice_ledger_overruns_total: overruns,
        sluice_ledger_quarantined_rows_total: quarantinedRows,
      };
    },
  });
}

function addBacklog(collectors: CollectorRegistry, database: Database): void {
  collectors.add({
    name: "ledger_database",
    cacheMs: DATABASE_CACHE_MS,
    metrics: {
      sluice_ledger_requests: {
        type: "gauge",
        help: "Requests of all replicas without a known cost: in flight (open), to be looked up (pending), given up (unknown); at most 10,000 each.",
      },
      sluice_ledger_oldest_pending_seconds: {
        type: "gauge",
        help: "Time since the end of the pending request that started first; 0 without one.",
      },
      sluice_alerts_undelivered: { type: "gauge", help: "Alerts of all replicas that wait for a delivery." },
    },
    read: async () => {
      const [{ oldestPendingMs, ...states }, alerts] = await Promise.all([
        readLedgerBacklog(database),
        countWaitingAlerts(database),
      ]);
      return {
        sluice_ledger_requests: Object.entries(states).map(([state, value]) => ({
          labels: { state },
          value,
        })),
        sluice_ledger_oldest_pending_seconds: oldestPendingMs / 1_000,
        sluice_alerts_undelivered: alerts,
      };
    },
  });
}
