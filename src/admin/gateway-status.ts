import { countWaitingAlerts } from "../alerts/sql/alert-queue.ts";
import { readVersion } from "../build-info.ts";
import type { ComponentHealth } from "../endpoints/component-health.ts";
import type { ClientConnections } from "../http/client-connections.ts";
import type { ShutdownState } from "../http/shutdown.ts";
import type { BodyMemory } from "../limits/body-memory.ts";
import type { InFlight } from "../limits/in-flight.ts";
import { ALIVE_MS } from "../metering/replica-count.ts";
import { listInstances } from "../metering/sql/instances.ts";
import { BACKLOG_MAX, readLedgerBacklog } from "../metering/sql/ledger-backlog.ts";
import type { UsageRecorder } from "../metering/usage-recorder.ts";
import { formatUsd } from "../money.ts";
import type { LogOutput } from "../observability/log-output.ts";
import { formatTimestamp } from "../presentation/timestamp.ts";
import type { Database } from "../store/database.ts";
import type { AccountBalance } from "../upstream/account-balance.ts";
import type { HealthJson } from "./health-schema.ts";

/** The component of {@link ComponentHealth} without which no query can succeed. */
const DATABASE = "database";

/** The parts of the gateway whose state `GET /admin/v1/health` shows. */
export interface StatusSources {
  readonly components: ComponentHealth;
  readonly inFlight: Pick<InFlight, "count" | "max" | "uploads">;
  readonly bodyMemory: Pick<BodyMemory, "heldBytes" | "maxBytes">;
  readonly clients: ClientConnections;
  readonly shutdown: Pick<ShutdownState, "isShuttingDown">;
  readonly recorder: Pick<UsageRecorder, "instance" | "queue" | "totals">;
  /** undefined if `ACCOUNT_POLL_MS` is 0. */
  readonly account: Pick<AccountBalance, "known"> | undefined;
  /** undefined if the log has another destination than standard output. */
  readonly logOutput?: Pick<LogOutput, "droppedLines"> | undefined;
}

/** Reads the state of this process, and of all replicas from the database that they share. */
export class GatewayStatus {
  readonly #sources: StatusSources;
  readonly #database: Database;
  readonly #version = readVersion();

  constructor(sources: StatusSources, database: Database) {
    this.#sources = sources;
    this.#database = database;
  }

  /**
   * Reads the state. Takes at most two seconds longer than the queries, and is possible while the database is unavailable: then
   * the parts that only the database knows are null.
   */
  async read(): Promise<HealthJson> {
    const { account } = this.#sources;
    const components = await this.#sources.components.check();
    const hasDatabase = components.every(({ name, works }) => name !== DATABASE || works);
    const { backlog, instances, undelivered } = hasDatabase ? await this.#readDatabase() : NOTHING;
    return {
      gateway: this.#readProcess(),
      components: components.map(({ name, works, isRequired }) => ({
        name,
        is_up: works,
        is_required: isRequired,
      })),
      capacity: this.#readCapacity(),
      ledger: { ...this.#readQueue(), ...backlog, backlog_max: BACKLOG_MAX },
      instances,
      account: account
        ? {
            balances: account.known.map(({ source, remainingNanodollars }) => ({
              source,
              remaining_usd: formatUsd(remainingNanodollars),
            })),
          }
        : null,
      alerts: { undelivered },
    };
  }

  #readProcess(): HealthJson["gateway"] {
    const { recorder, shutdown } = this.#sources;
    return {
      version: this.#version,
      node: process.version,
      instance: recorder.instance,
      started_at: formatTimestamp(Math.round(performance.timeOrigin)),
      checked_at: formatTimestamp(Date.now()),
      database: this.#database.sqlite ? "sqlite" : "postgresql",
      is_shutting_down: shutdown.isShuttingDown,
    };
  }

  #readCapacity(): HealthJson["capacity"] {
    const { inFlight, bodyMemory, clients, logOutput } = this.#sources;
    return {
      in_flight: inFlight.count,
      in_flight_limit: inFlight.max,
      uploads: inFlight.uploads,
      body_memory_bytes: bodyMemory.heldBytes,
      body_memory_limit_bytes: bodyMemory.maxBytes,
      connections: clients.connections.size,
      connections_limit: clients.max,
      dropped_log_lines: logOutput?.droppedLines ?? null,
    };
  }

  #readQueue() {
    const { rows, journalBytes, journalMaxBytes } = this.#sources.recorder.queue;
    const { unknownCosts, overruns, quarantinedRows } = this.#sources.recorder.totals;
    return {
      queue_rows: rows,
      journal_bytes: journalBytes,
      journal_max_bytes: journalMaxBytes,
      unknown_costs: unknownCosts,
      overruns,
      quarantined_rows: quarantinedRows,
    };
  }

  async #readDatabase(): Promise<DatabaseState> {
    const [{ oldestPendingMs, ...states }, instances, undelivered] = await Promise.all([
      readLedgerBacklog(this.#database),
      listInstances(this.#database),
      countWaitingAlerts(this.#database),
    ]);
    return {
      backlog: { ...states, oldest_pending_ms: oldestPendingMs },
      instances: instances.map(({ id, startedAt, seenAt, silentMs }) => ({
        id,
        started_at: formatTimestamp(startedAt),
        seen_at: formatTimestamp(seenAt),
        is_alive: silentMs < ALIVE_MS,
        is_responding: id === this.#sources.recorder.instance,
      })),
      undelivered,
    };
  }
}

interface DatabaseState {
  readonly backlog: Pick<HealthJson["ledger"], "open" | "pending" | "unknown" | "oldest_pending_ms">;
  readonly instances: HealthJson["instances"];
  readonly undelivered: number | null;
}

/** The state of a database that cannot be read. */
const NOTHING: DatabaseState = {
  backlog: { open: null, pending: null, unknown: null, oldest_pending_ms: null },
  instances: null,
  undelivered: null,
};
