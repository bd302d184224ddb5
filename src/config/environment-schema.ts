import { totalmem } from "node:os";
import process from "node:process";
import { z } from "zod";
import { findOriginMistake } from "./cors-origins.ts";
import {
  checkedText,
  explainedList,
  flag,
  isBaseUrl,
  isProxyNetwork,
  isPostgresUrl,
  isRedisUrl,
  list,
  wholeNumber,
  wholeNumberWithin,
} from "./values.ts";
import { DAY_MS, HOUR_MS } from "../durations.ts";
import { isProxyUrl, normalizeProxyUrl } from "./upstream-proxy.ts";
import { isWebhookUrl, parseWebhookSecret } from "./webhook-settings.ts";
import { toNanodollars } from "../money.ts";

/** A valid value of an HTTP header: printable ASCII only, because servers disagree on the encoding of other characters. */
const HEADER_TEXT = /^[\x20-\x7e]{1,512}$/;

const file = checkedText((value) => !value.includes("\0"), "must be the path of a file").optional();
const proxy = checkedText(
  isProxyUrl,
  "must be the http:// or https:// URL of a proxy, user name and password percent-encoded",
)
  .transform(normalizeProxyUrl)
  .optional();

const address = checkedText(
  (value) => /^[\w.:-]{1,255}$/.test(value),
  "must be an address or host name, such as 127.0.0.1",
);

/**
 * Returns a quarter of the container's memory limit or of the machine's memory, whichever is less. If the container has no
 * limit, `constrainedMemory()` returns 0 or a number greater than the memory of any machine.
 */
function quarterOfMemory(): number {
  const machine = totalmem();
  return Math.floor(Math.min(process.constrainedMemory() || machine, machine) / 4);
}

const openrouterKey = checkedText(
  (value) => /^[\x21-\x7e]{1,512}$/.test(value),
  "must be one OpenRouter key without spaces",
).optional();

/** Every environment variable of the gateway, with bounds and default; `.env.example` describes each. */
export const environmentSchema = z.object({
  HOST: address.default("127.0.0.1"),
  PORT: wholeNumber(0, 65_535, 8080),
  OPENROUTER_API_KEY: openrouterKey,
  OPENROUTER_API_KEY_FILE: file,
  OPENROUTER_MANAGEMENT_KEY: openrouterKey,
  OPENROUTER_MANAGEMENT_KEY_FILE: file,
  OPENROUTER_BASE_URL: checkedText(
    isBaseUrl,
    "must be an http or https URL without credentials, query or fragment, such as https://openrouter.ai/api/v1",
  )
    .transform((value) => value.replace(/\/+$/, ""))
    .default("https://openrouter.ai/api/v1"),
  HTTPS_PROXY: proxy,
  HTTP_PROXY: proxy,
  NO_PROXY: z.string().optional(),
  GATEWAY_API_KEYS: z.string().optional(),
  GATEWAY_API_KEYS_FILE: file,
  ALLOW_ANONYMOUS: flag(false),
  MODEL_ALIASES: z.string().optional(),
  DATA_DIR: checkedText((value) => !value.includes("\0"), "must be the path of a directory").optional(),
  // The default depends on DATABASE_URL.
  DATA_DIR_PERSISTENT: z.enum(["true", "false"], { error: "must be true or false" }).optional(),
  DATABASE_URL: checkedText(isPostgresUrl, "must be a postgres:// or postgresql:// URL").optional(),
  DATABASE_URL_FILE: file,
  STORE_OUTAGE_GRACE_MS: wholeNumber(0, DAY_MS, HOUR_MS),
  DASHBOARD_SESSION_MS: wholeNumber(0, 30 * DAY_MS, 12 * HOUR_MS),
  SETTLE_AFTER_MS: wholeNumber(1, DAY_MS, 20_000),
  SETTLE_GIVE_UP_MS: wholeNumber(1, 30 * DAY_MS, DAY_MS),
  LEDGER_RETENTION_DAYS: wholeNumber(1, 36_500, 395),
  JOURNAL_MAX_BYTES: wholeNumber(1_048_576, 1_099_511_627_776, 1_073_741_824),
  DISCONNECT_HEAD_WAIT_MS: wholeNumber(0, DAY_MS, 10_000),
  DISCONNECT_DRAIN_MS: wholeNumber(1, DAY_MS, 300_000),
  DISCONNECT_DRAIN_BYTES: wholeNumber(1, 1_099_511_627_776, 67_108_864),
  ACCOUNT_POLL_MS: wholeNumber(0, 120_000, 60_000),
  ACCOUNT_LOW_USD: checkedText(
    (value) => /^\d{1,6}(?:\.\d{1,9})?$/.test(value),
    "must be an amount of US dollars below 1000000, such as 20 or 7.5",
  )
    .transform(toNanodollars)
    .optional(),
  ALERT_WEBHOOK_URL: checkedText(
    isWebhookUrl,
    "must be an http or https URL without user name, password or fragment",
  ).optional(),
  ALERT_WEBHOOK_URL_FILE: file,
  ALERT_WEBHOOK_SECRET: checkedText(
    (value) => parseWebhookSecret(value) !== undefined,
    "must be whsec_ and 24 to 64 random bytes in base64; create one with: echo whsec_$(openssl rand -base64 32)",
  ).optional(),
  ALERT_WEBHOOK_SECRET_FILE: file,
  RATE_LIMIT_MAX: wholeNumber(0, 1_000_000_000, 0),
  RATE_LIMIT_WINDOW_MS: wholeNumber(1, DAY_MS, 60_000),
  BUDGET_WAIT_MS: wholeNumber(0, 60_000, 2_000),
  REDIS_URL: checkedText(isRedisUrl, "must be a redis:// or rediss:// URL").optional(),
  REDIS_URL_FILE: file,
  REDIS_TIMEOUT_MS: wholeNumber(1, 60_000, 50),
  TRUST_PROXY: list(
    isProxyNetwork,
    "must be addresses or CIDR networks separated by commas, such as 10.0.0.0/8, or loopback, linklocal, uniquelocal; " +
      "true and numbers are refused because they let clients forge their address",
  ),
  // The upper bound is the maximum length of a string in V8.
  BODY_LIMIT_BYTES: wholeNumber(1, 536_870_888, 67_108_864),
  BODY_MEMORY_BYTES: wholeNumber(1, 1_099_511_627_776, quarterOfMemory()),
  MAX_IN_FLIGHT: wholeNumber(1, 1_000_000, 10_000),
  // The default depends on MAX_IN_FLIGHT.
  MAX_IN_FLIGHT_PER_KEY: wholeNumberWithin(1, 1_000_000).optional(),
  // The default depends on the descriptor limit of the process.
  MAX_CONNECTIONS: wholeNumberWithin(1, 1_000_000).optional(),
  UPSTREAM_CONNECT_TIMEOUT_MS: wholeNumber(1, DAY_MS, 5_000),
  UPSTREAM_HEADERS_TIMEOUT_MS: wholeNumber(1, DAY_MS, 900_000),
  UPSTREAM_IDLE_TIMEOUT_MS: wholeNumber(1, DAY_MS, 300_000),
  UPSTREAM_TOTAL_TIMEOUT_MS: wholeNumber(1, DAY_MS, HOUR_MS),
  RESPONSE_LIMIT_BYTES: wholeNumber(1, 1_099_511_627_776, 1_073_741_824),
  CLIENT_STALL_TIMEOUT_MS: wholeNumber(1, DAY_MS, 60_000),
  // Longer than the 60 s after which load balancers close an idle connection: the server must not close it first.
  KEEP_ALIVE_TIMEOUT_MS: wholeNumber(1, DAY_MS, 75_000),
  DRAIN_MS: wholeNumber(0, DAY_MS, 2_000),
  SHUTDOWN_GRACE_MS: wholeNumber(0, DAY_MS, 600_000),
  // Without a default: the gateway has no metrics unless the port is set.
  METRICS_PORT: wholeNumberWithin(0, 65_535).optional(),
  METRICS_HOST: address.default("127.0.0.1"),
  METRICS_KEY_LABEL: flag(false),
  LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
      error: "must be one of fatal, error, warn, info, debug, trace, silent",
    })
    .default("info"),
  CORS_ORIGINS: explainedList(findOriginMistake),
  APP_URL: checkedText((value) => HEADER_TEXT.test(value) && URL.canParse(value), "must be a URL").optional(),
  APP_TITLE: checkedText(
    (value) => HEADER_TEXT.test(value),
    "must be up to 512 printable ASCII characters",
  ).optional(),
});

export type Environment = z.infer<typeof environmentSchema>;
