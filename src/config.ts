import { z } from "zod";
import {
  checked,
  flag,
  isBaseUrl,
  isNetwork,
  isOrigin,
  isRedisUrl,
  list,
  splitList,
  wholeNumber,
} from "./config-values.ts";
import { parseKeyList, type KeyEntry } from "./keys/key-list.ts";

/** Everything the gateway can be told from outside, checked and typed. Frozen; see `.env.example` for each name. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** The account's OpenRouter key. Absent: callers bring their own OpenRouter keys and those are forwarded. */
  readonly openrouterApiKey: string | undefined;
  readonly gatewayKeys: readonly KeyEntry[];
  readonly allowAnonymous: boolean;
  readonly upstream: UpstreamConfig;
  readonly rateLimit: { readonly max: number; readonly windowMs: number };
  readonly redisUrl: string | undefined;
  /** Addresses and networks whose `X-Forwarded-For` is believed. */
  readonly trustProxy: readonly string[];
  readonly bodyLimitBytes: number;
  readonly maxInFlight: number;
  readonly clientStallTimeoutMs: number;
  /** How long an idle connection of a caller's is kept. */
  readonly keepAliveTimeoutMs: number;
  readonly drainMs: number;
  readonly shutdownGraceMs: number;
  readonly logLevel: string;
  readonly corsOrigins: readonly string[];
}

/** How OpenRouter is reached and how long each phase may take. */
export interface UpstreamConfig {
  /** Scheme, host and path such as `https://openrouter.ai/api/v1`, without a trailing slash. */
  readonly baseUrl: string;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Sent as `HTTP-Referer` and `X-Title` when the caller sends none. */
  readonly appUrl: string | undefined;
  readonly appTitle: string | undefined;
}

/** Thrown by {@link loadConfig}; `mistakes` names every wrong variable and its remedy, never its value. */
export class ConfigError extends Error {
  readonly mistakes: readonly string[];
  constructor(mistakes: readonly string[]) {
    super(
      `The configuration has ${mistakes.length} mistake(s):\n${mistakes.map((m) => `  - ${m}`).join("\n")}`,
    );
    this.mistakes = mistakes;
  }
}

const DAY_MS = 86_400_000;
/** What may stand in an HTTP header value: printable ASCII, so that nothing has to be guessed about its encoding. */
const HEADER_TEXT = /^[\x20-\x7e]{1,512}$/;

const environment = z.object({
  HOST: checked(
    (value) => /^[\w.:-]{1,255}$/.test(value),
    "must be an address or host name, such as 127.0.0.1",
  ).default("127.0.0.1"),
  PORT: wholeNumber(0, 65_535, 8080),
  OPENROUTER_API_KEY: checked(
    (value) => /^[\x21-\x7e]{1,512}$/.test(value),
    "must be one OpenRouter key without spaces",
  ).optional(),
  OPENROUTER_BASE_URL: checked(
    isBaseUrl,
    "must be an http or https URL without credentials, query or fragment, such as https://openrouter.ai/api/v1",
  )
    .transform((value) => value.replace(/\/+$/, ""))
    .default("https://openrouter.ai/api/v1"),
  GATEWAY_API_KEYS: z.string().optional(),
  ALLOW_ANONYMOUS: flag(false),
  RATE_LIMIT_MAX: wholeNumber(0, 1_000_000_000, 0),
  RATE_LIMIT_WINDOW_MS: wholeNumber(1, DAY_MS, 60_000),
  REDIS_URL: checked(isRedisUrl, "must be a redis:// or rediss:// URL").optional(),
  TRUST_PROXY: list(
    isNetwork,
    "must be addresses or CIDR networks separated by commas, such as 10.0.0.0/8, or loopback, linklocal, uniquelocal; " +
      "true and numbers are refused because they let callers forge their address",
  ),
  // The upper bound is the longest text that V8 can hold.
  BODY_LIMIT_BYTES: wholeNumber(1, 536_870_888, 67_108_864),
  MAX_IN_FLIGHT: wholeNumber(1, 1_000_000, 10_000),
  UPSTREAM_CONNECT_TIMEOUT_MS: wholeNumber(1, DAY_MS, 5_000),
  UPSTREAM_HEADERS_TIMEOUT_MS: wholeNumber(1, DAY_MS, 900_000),
  UPSTREAM_IDLE_TIMEOUT_MS: wholeNumber(1, DAY_MS, 300_000),
  CLIENT_STALL_TIMEOUT_MS: wholeNumber(1, DAY_MS, 60_000),
  // Longer than the 60 s after which load balancers let go of an idle connection: the server must not close it first.
  KEEP_ALIVE_TIMEOUT_MS: wholeNumber(1, DAY_MS, 75_000),
  DRAIN_MS: wholeNumber(0, DAY_MS, 2_000),
  SHUTDOWN_GRACE_MS: wholeNumber(0, DAY_MS, 600_000),
  LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
      error: "must be one of fatal, error, warn, info, debug, trace, silent",
    })
    .default("info"),
  CORS_ORIGINS: list(
    isOrigin,
    "must be origins separated by commas, such as https://app.example.com (scheme and host, no path), or *",
  ),
  APP_URL: checked((value) => HEADER_TEXT.test(value) && URL.canParse(value), "must be a URL").optional(),
  APP_TITLE: checked(
    (value) => HEADER_TEXT.test(value),
    "must be up to 512 printable ASCII characters",
  ).optional(),
});

type Environment = z.infer<typeof environment>;

/**
 * Reads a configuration from an environment-like record.
 * @param record names to values; empty values count as unset, unknown names are ignored.
 * @returns the frozen configuration.
 * @throws ConfigError with every mistake at once.
 */
export function loadConfig(record: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.keys(environment.shape)
      .map((name) => [name, record[name]?.trim()])
      .filter(([, value]) => value),
  );
  const parsed = environment.safeParse(given);
  const mistakes = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
  const keyItems = splitList(given["GATEWAY_API_KEYS"] ?? "");
  const keys = parseKeyList(keyItems);
  mistakes.push(...keys.mistakes, ...contradictions(given, keyItems.length > 0));
  if (!parsed.success || mistakes.length > 0) throw new ConfigError(mistakes);
  return Object.freeze(toConfig(parsed.data, keys.entries));
}

/** Mistakes that no single variable shows. */
function contradictions(given: Readonly<Record<string, string | undefined>>, keyed: boolean): string[] {
  const owned = given["OPENROUTER_API_KEY"] !== undefined;
  if (owned && !keyed && given["ALLOW_ANONYMOUS"] !== "true") {
    return [
      "OPENROUTER_API_KEY is set but nobody may use it: set GATEWAY_API_KEYS=name:sk-... (one or more, separated by commas), " +
        "or ALLOW_ANONYMOUS=true to let anyone who reaches the port spend from this account",
    ];
  }
  if (!owned && keyed) {
    // Without this, callers' gateway keys would be forwarded to OpenRouter as if they were its own.
    return [
      "GATEWAY_API_KEYS is set without OPENROUTER_API_KEY: set the account's key, or remove GATEWAY_API_KEYS so that callers' own OpenRouter keys are forwarded",
    ];
  }
  return [];
}

function toConfig(env: Environment, gatewayKeys: readonly KeyEntry[]): Config {
  return {
    host: env.HOST,
    port: env.PORT,
    openrouterApiKey: env.OPENROUTER_API_KEY,
    gatewayKeys: Object.freeze(gatewayKeys),
    allowAnonymous: env.ALLOW_ANONYMOUS,
    upstream: Object.freeze({
      baseUrl: env.OPENROUTER_BASE_URL,
      connectTimeoutMs: env.UPSTREAM_CONNECT_TIMEOUT_MS,
      headersTimeoutMs: env.UPSTREAM_HEADERS_TIMEOUT_MS,
      idleTimeoutMs: env.UPSTREAM_IDLE_TIMEOUT_MS,
      appUrl: env.APP_URL,
      appTitle: env.APP_TITLE,
    }),
    rateLimit: Object.freeze({ max: env.RATE_LIMIT_MAX, windowMs: env.RATE_LIMIT_WINDOW_MS }),
    redisUrl: env.REDIS_URL,
    trustProxy: Object.freeze(env.TRUST_PROXY),
    bodyLimitBytes: env.BODY_LIMIT_BYTES,
    maxInFlight: env.MAX_IN_FLIGHT,
    clientStallTimeoutMs: env.CLIENT_STALL_TIMEOUT_MS,
    keepAliveTimeoutMs: env.KEEP_ALIVE_TIMEOUT_MS,
    drainMs: env.DRAIN_MS,
    shutdownGraceMs: env.SHUTDOWN_GRACE_MS,
    logLevel: env.LOG_LEVEL,
    corsOrigins: Object.freeze(env.CORS_ORIGINS),
  };
}
