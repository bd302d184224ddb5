import { z } from "zod";
import { timestampSchema } from "../presentation/timestamp.ts";

// The responses of `GET /admin/v1/health` and `/configuration`. Each description says whether a value is of this replica or of all replicas.

const UNAVAILABLE = "null while the database is unavailable";
const count = (description: string) => z.int().describe(description);
const sharedCount = (description: string) => z.int().nullable().describe(`${description}; ${UNAVAILABLE}`);
const time = (description: string) => timestampSchema.describe(`${description} (ISO 8601, UTC)`);

const gateway = z
  .object({
    version: z.string().describe("Version of the gateway"),
    node: z.string().describe("Version of Node.js, such as `v26.1.0`"),
    instance: z.string().describe("Id of the process, as in the column `instance` of requests"),
    started_at: time("Start of the process"),
    checked_at: time("Time of this response"),
    database: z.enum(["sqlite", "postgresql"]).describe("Where keys and ledger are stored"),
    is_shutting_down: z.boolean().describe("Whether the process stops accepting requests"),
  })
  .describe("The replica that responds");

const component = z.object({
  name: z
    .string()
    .describe(
      "`database`; `journal`: the log on disk that must have a request before it is sent; `redis`; `settlement`: cost lookups at OpenRouter; `keys`: updates of the cached keys",
    ),
  is_up: z.boolean().describe("Whether its check succeeded now"),
  is_required: z.boolean().describe("Whether requests fail without it"),
});

const capacity = z
  .object({
    in_flight: count("Requests to models in flight"),
    in_flight_limit: count("MAX_IN_FLIGHT: most requests to models in flight"),
    uploads: count("Requests to models whose body is still arriving; part of `in_flight`"),
    body_memory_bytes: count("Request bodies in memory, in bytes"),
    body_memory_limit_bytes: count("BODY_MEMORY_BYTES: most request bodies in memory, in bytes"),
    connections: count("Open client connections"),
    connections_limit: count("Most client connections: see MAX_CONNECTIONS"),
    dropped_log_lines: z
      .int()
      .nullable()
      .describe("Log lines lost since the start; null if the log is not standard output"),
  })
  .describe("Present load and limits of the replica that responds");

const ledger = z
  .object({
    queue_rows: count("This replica: records of ended requests that wait to be written to the database"),
    journal_bytes: count("This replica: size of its journal on disk, in bytes"),
    journal_max_bytes: count(
      "This replica: the setting JOURNAL_MAX_BYTES, in bytes; with a full journal, requests are refused",
    ),
    unknown_costs: count("This replica, since its start: requests whose cost was given up as unknown"),
    overruns: count("This replica, since its start: requests that cost more than was reserved"),
    quarantined_rows: count("This replica, since its start: records that the database rejected"),
    open: sharedCount("All replicas: requests in flight, up to `backlog_max`"),
    pending: sharedCount(
      "All replicas: ended requests whose cost is still to be looked up, up to `backlog_max`",
    ),
    unknown: sharedCount(
      "All replicas: requests whose cost will never be known, kept until LEDGER_RETENTION_DAYS, up to `backlog_max`",
    ),
    oldest_pending_ms: sharedCount(
      "All replicas: time in ms since the end of the pending request that started first, 0 without one",
    ),
    backlog_max: count("The three counts of requests stop here: a count that equals this number may be more"),
  })
  .describe("The records of requests on their way to a known cost");

const instance = z.object({
  id: z.string().describe("Id of a process"),
  started_at: time("First heartbeat, by the database's clock"),
  seen_at: time("Last heartbeat, by the database's clock"),
  is_alive: z.boolean().describe("Whether the last heartbeat is less than a minute old"),
  is_responding: z.boolean().describe("Whether this response is from this process"),
});

const account = z
  .object({
    balances: z
      .array(
        z.object({
          source: z
            .enum(["key_limit", "account_credits"])
            .describe("The limit of the gateway's OpenRouter key, or the credits of the account"),
          remaining_usd: z.string().describe("Money left, in US dollars, exact, as decimal text"),
        }),
      )
      .describe("As polled in the last five minutes; a balance that nothing limits is absent"),
  })
  .describe("The money at OpenRouter");

/** The response of `GET /admin/v1/health`. */
export const healthSchema = z
  .object({
    gateway,
    components: z.array(component).describe("Dependencies of the replica that responds"),
    capacity,
    ledger,
    instances: z
      .array(instance)
      .nullable()
      .describe(`All processes that use the database, at most 200; ${UNAVAILABLE}`),
    account: account.nullable().describe("null if ACCOUNT_POLL_MS is 0"),
    alerts: z
      .object({ undelivered: sharedCount("All replicas: alerts that wait for a delivery") })
      .describe("The alerts of all replicas"),
  })
  .describe("The state of the gateway");

/** The state of the gateway as JSON. */
export type HealthJson = z.output<typeof healthSchema>;

const settingSchema = z.object({
  name: z.string().describe("Name of the environment variable"),
  value: z
    .string()
    .nullable()
    .describe(
      "The value as it was set, or the default; null for a secret, and without a value: `.env.example` describes what applies then",
    ),
  is_secret: z.boolean().describe("Whether the value is hidden because it contains a secret"),
  is_set: z.boolean().describe("Whether the environment or a file states a value"),
  is_default: z.boolean().describe("Whether the value is the default"),
});

/** The response of `GET /admin/v1/configuration`. */
export const configurationSchema = z
  .object({ data: z.array(settingSchema).describe("Every setting, in the order of docs/configuration.md") })
  .describe("The settings of the replica that responds, without secrets");

/** The settings as JSON. */
export type ConfigurationJson = z.output<typeof configurationSchema>;
/** A setting as JSON. */
export type SettingJson = ConfigurationJson["data"][number];
