import type { Logger } from "pino";
import { DAY_MS, HOUR_MS } from "../durations.ts";
import { GatewayError } from "../errors.ts";
import type { Database } from "../store/database.ts";
import type { Alert } from "./alert.ts";
import { logAlert } from "./log-alert.ts";
import type { AlertTable } from "./sql/alert-table.ts";
import {
  claimAlerts,
  deleteOldAlerts,
  endDelivery,
  markDelivered,
  postponeDelivery,
} from "./sql/alert-queue.ts";
import { signWebhook, type WebhookEndpoint } from "./webhook.ts";

const RUN_EVERY_MS = 2_000;
/** Maximum concurrent deliveries of one process. */
const DELIVERIES_MAX = 8;
const WAIT_MIN_MS = 5_000;
const WAIT_MAX_MS = HOUR_MS / 2;
/** The wait after each failure is this many times as long as the previous one. */
const WAIT_FACTOR = 4;
/** Share of a wait that is random, so that retries do not reach the receiver at the same moment. */
const JITTER = 0.2;
const GIVE_UP_AFTER_MS = DAY_MS;
const KEEP_MS = 30 * DAY_MS;
const REPORT_EVERY_MS = 60_000;

export interface AlertDeliveryOptions {
  readonly database: Database;
  /** undefined: alerts are only stored and logged. */
  readonly webhook: { readonly endpoint: WebhookEndpoint; readonly secret: Buffer } | undefined;
  readonly logger: Logger;
}

/**
 * Logs stored alerts, and sends them to the webhook until the receiver responds with a 2xx status, for a day. Replicas that
 * share a database claim alerts first, so that they do not send the same alert at the same time. If a process dies between a
 * delivery and the write that marks it, the alert is sent again. Receivers therefore ignore ids that they have seen.
 */
export class AlertDelivery {
  readonly #options: AlertDeliveryOptions;
  #timer: NodeJS.Timeout | undefined = undefined;
  #run: Promise<void> = Promise.resolve();
  #isStopped = false;
  #deletedAt = -Infinity;
  #reportedAt = -Infinity;
  /** Failed deliveries since the last report. */
  #failedDeliveries = 0;
  #failedDeliveriesReportedAt = -Infinity;

  constructor(options: AlertDeliveryOptions) {
    this.#options = options;
  }

  /** Starts to deliver the due alerts every 2 s until `stop` is called. The database must already be migrated. */
  start(): void {
    this.#timer = setTimeout(() => {
      this.#run = this.#runAndReschedule();
    }, RUN_EVERY_MS);
    this.#timer.unref();
  }

  /** Starts no further deliveries and waits for those in flight, at most 10 s. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#run;
    await this.#options.webhook?.endpoint.close();
  }

  async #runAndReschedule(): Promise<void> {
    try {
      await this.deliverDue();
      await this.#deleteOld();
    } catch (error) {
      this.#reportFailure(error);
    }
    if (!this.#isStopped) this.start();
  }

  /** Logs and sends every alert that is due. @throws the first database error. */
  async deliverDue(): Promise<void> {
    for (;;) {
      const claimed = await claimAlerts(this.#options.database, DELIVERIES_MAX);
      const results = await Promise.allSettled(claimed.map((row) => this.#deliver(row)));
      const failure = results.find(({ status }) => status === "rejected");
      if (failure?.status === "rejected") throw failure.reason;
      if (claimed.length === 0 || this.#isStopped) return;
    }
  }

  async #deliver(row: AlertTable): Promise<void> {
    const { database, webhook, logger } = this.#options;
    const alert = { id: row.id, type: row.type, data: JSON.parse(row.data) } as Alert;
    if (row.attempts === 0) logAlert(logger, alert);
    if (!webhook) {
      await endDelivery(database, row.id);
      return;
    }
    const created_at = new Date(row.created_at).toISOString();
    const { id, type, data } = alert;
    const body = Buffer.from(JSON.stringify({ id, type, created_at, data }));
    const result = await this.#post(id, body);
    if (result.isDelivered) await markDelivered(database, id);
    else await this.#postpone(row, result);
  }

  async #post(id: string, body: Buffer): Promise<DeliveryResult> {
    const { endpoint, secret } = this.#options.webhook as NonNullable<AlertDeliveryOptions["webhook"]>;
    const signature = signWebhook(secret, { id, sentAt: Date.now(), body });
    try {
      const headers = { "content-type": "application/json", "user-agent": "sluice", ...signature };
      const { status, retryAfterMs = 0 } = await endpoint.post(body, headers);
      return { isDelivered: status >= 200 && status < 300, retryAfterMs, reason: { status } };
    } catch (error) {
      const cause = error instanceof GatewayError ? error.cause : error;
      return { isDelivered: false, retryAfterMs: 0, reason: { cause: describeCause(cause) } };
    }
  }

  async #postpone({ id, attempts }: AlertTable, { retryAfterMs, reason }: DeliveryResult): Promise<void> {
    const { database, webhook, logger } = this.#options;
    const growingMs = Math.min(WAIT_MIN_MS * WAIT_FACTOR ** Math.min(attempts, 10), WAIT_MAX_MS);
    const waitMs = Math.max(growingMs * (1 + Math.random() * JITTER), retryAfterMs);
    const willRetry = await postponeDelivery(database, id, { waitMs, giveUpAfterMs: GIVE_UP_AFTER_MS });
    const fields = { alert: id, webhook: webhook?.endpoint.origin, attempts: attempts + 1, ...reason };
    if (willRetry) this.#reportFailedDelivery(fields);
    else logger.error(fields, "alerts: delivery failed for a day, gave up");
  }

  /** Logs a failed delivery, but at most one a minute, because a receiver that is down fails every delivery. */
  #reportFailedDelivery(fields: object): void {
    this.#failedDeliveries++;
    if (performance.now() - this.#failedDeliveriesReportedAt < REPORT_EVERY_MS) return;
    this.#failedDeliveriesReportedAt = performance.now();
    const count = this.#failedDeliveries;
    this.#failedDeliveries = 0;
    this.#options.logger.warn({ ...fields, count }, "alerts: delivery failed, will retry");
  }

  async #deleteOld(): Promise<void> {
    if (performance.now() - this.#deletedAt < HOUR_MS) return;
    this.#deletedAt = performance.now();
    await deleteOldAlerts(this.#options.database, KEEP_MS);
  }

  #reportFailure(error: unknown): void {
    if (performance.now() - this.#reportedAt < REPORT_EVERY_MS) return;
    this.#reportedAt = performance.now();
    this.#options.logger.warn({ err: error }, "alerts: database failed, will retry");
  }
}

interface DeliveryResult {
  readonly isDelivered: boolean;
  readonly retryAfterMs: number;
  /** Fields of the log line. */
  readonly reason: object;
}

/** Returns the code of a connection error. An error without a cause is the timeout of the whole delivery. */
function describeCause(cause: unknown): unknown {
  if (!(cause instanceof Error)) return "TIMEOUT";
  return "code" in cause ? cause.code : cause.name;
}
