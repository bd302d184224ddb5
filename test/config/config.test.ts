import { totalmem } from "node:os";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { listMistakes } from "../support/config-mistakes.ts";
import { digestSecret } from "../../src/key-secret.ts";

const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
const SECRET = "s3cr3t-do-not-show";

test("in an empty environment, every setting has its default, and no OpenRouter key is configured", () => {
  expect(loadConfig({})).toEqual({
    host: "127.0.0.1",
    port: 8080,
    openrouterApiKey: undefined,
    gatewayKeys: [],
    allowAnonymous: false,
    modelAliases: new Map(),
    upstream: {
      baseUrl: "https://openrouter.ai/api/v1",
      connectTimeoutMs: 5_000,
      headersTimeoutMs: 900_000,
      idleTimeoutMs: 300_000,
      appUrl: undefined,
      appTitle: undefined,
    },
    store: undefined,
    dashboardSessionMs: 43_200_000,
    ledger: {
      settleAfterMs: 20_000,
      settleGiveUpMs: 86_400_000,
      retentionDays: 395,
      journalMaxBytes: 1_073_741_824,
      headWaitMs: 10_000,
      drainBounds: { ms: 300_000, bytes: 67_108_864 },
    },
    account: { pollMs: 60_000, lowNanodollars: undefined, managementKey: undefined },
    alertWebhook: undefined,
    metrics: undefined,
    rateLimit: { max: 0, windowMs: 60_000 },
    redisUrl: undefined,
    budgetWaitMs: 2_000,
    redisTimeoutMs: 50,
    trustProxy: [],
    bodyLimitBytes: 67_108_864,
    bodyMemoryBytes: Math.floor(Math.min(process.constrainedMemory() || totalmem(), totalmem()) / 4),
    maxInFlight: 10_000,
    maxInFlightPerKey: 625,
    upstreamTotalTimeoutMs: 3_600_000,
    responseLimitBytes: 1_073_741_824,
    maxConnections: undefined,
    clientStallTimeoutMs: 60_000,
    keepAliveTimeoutMs: 75_000,
    drainMs: 2_000,
    shutdownGraceMs: 600_000,
    logLevel: "info",
    corsOrigins: [],
    settings: expect.any(Array),
  });
});

test("the default headers timeout exceeds the 600 s that SDKs wait", () => {
  expect(loadConfig({}).upstream.headersTimeoutMs).toBeGreaterThan(600_000);
});

const EVERYTHING = {
  HOST: "::",
  PORT: "0",
  OPENROUTER_API_KEY: "sk-or-v1-x",
  OPENROUTER_BASE_URL: "http://127.0.0.1:9/api/v1//",
  GATEWAY_API_KEYS: " team:sk-a , ,ci:sk-b,",
  ALLOW_ANONYMOUS: "true",
  MODEL_ALIASES: "fast=a/b , smart=c/d",
  DATA_DIR: "/var/lib/sluice",
  DATA_DIR_PERSISTENT: "true",
  DATABASE_URL: "postgres://user:pw@example.com/sluice",
  STORE_OUTAGE_GRACE_MS: "16",
  DASHBOARD_SESSION_MS: "16",
  SETTLE_AFTER_MS: "17",
  SETTLE_GIVE_UP_MS: "18",
  LEDGER_RETENTION_DAYS: "19",
  JOURNAL_MAX_BYTES: "1048576",
  DISCONNECT_HEAD_WAIT_MS: "0",
  DISCONNECT_DRAIN_MS: "20",
  DISCONNECT_DRAIN_BYTES: "21",
  OPENROUTER_MANAGEMENT_KEY: "sk-or-management",
  ACCOUNT_POLL_MS: "28",
  ACCOUNT_LOW_USD: "7.5",
  ALERT_WEBHOOK_URL: "https://hooks.example.com/a?b=c",
  ALERT_WEBHOOK_SECRET: WEBHOOK_SECRET,
  METRICS_PORT: "29",
  METRICS_HOST: "0.0.0.0",
  METRICS_KEY_LABEL: "true",
  RATE_LIMIT_MAX: "7",
  RATE_LIMIT_WINDOW_MS: "8",
  BUDGET_WAIT_MS: "28",
  REDIS_URL: "rediss://user:pw@example.com:6379/0",
  REDIS_TIMEOUT_MS: "28",
  TRUST_PROXY: "loopback, 10.0.0.0/8,2001:db8::/32 ,192.0.2.1",
  BODY_LIMIT_BYTES: "9",
  BODY_MEMORY_BYTES: "26",
  MAX_IN_FLIGHT: "10",
  MAX_IN_FLIGHT_PER_KEY: "27",
  MAX_CONNECTIONS: "25",
  UPSTREAM_CONNECT_TIMEOUT_MS: "11",
  UPSTREAM_HEADERS_TIMEOUT_MS: "12",
  UPSTREAM_IDLE_TIMEOUT_MS: "13",
  UPSTREAM_TOTAL_TIMEOUT_MS: "22",
  RESPONSE_LIMIT_BYTES: "23",
  CLIENT_STALL_TIMEOUT_MS: "14",
  KEEP_ALIVE_TIMEOUT_MS: "620000",
  DRAIN_MS: "0",
  SHUTDOWN_GRACE_MS: "15",
  LOG_LEVEL: "silent",
  CORS_ORIGINS: "https://app.example.com,http://localhost:3000",
  APP_URL: "https://example.com/app",
  APP_TITLE: "My app: the 2nd",
};

test("every variable sets its field, and white space around values is ignored", () => {
  const spaced = Object.fromEntries(Object.entries(EVERYTHING).map(([name, value]) => [name, ` ${value}\n`]));
  const expected = {
    host: "::",
    port: 0,
    openrouterApiKey: "sk-or-v1-x",
    gatewayKeys: [
      { name: "team", digest: digestSecret("sk-a") },
      { name: "ci", digest: digestSecret("sk-b") },
    ],
    allowAnonymous: true,
    modelAliases: new Map([
      ["fast", "a/b"],
      ["smart", "c/d"],
    ]),
    upstream: {
      baseUrl: "http://127.0.0.1:9/api/v1",
      connectTimeoutMs: 11,
      headersTimeoutMs: 12,
      idleTimeoutMs: 13,
      appUrl: "https://example.com/app",
      appTitle: "My app: the 2nd",
    },
    store: {
      dataDir: "/var/lib/sluice",
      isDataDirPersistent: true,
      databaseUrl: "postgres://user:pw@example.com/sluice",
      outageGraceMs: 16,
    },
    dashboardSessionMs: 16,
    ledger: {
      settleAfterMs: 17,
      settleGiveUpMs: 18,
      retentionDays: 19,
      journalMaxBytes: 1_048_576,
      headWaitMs: 0,
      drainBounds: { ms: 20, bytes: 21 },
    },
    account: { pollMs: 28, lowNanodollars: 7_500_000_000, managementKey: "sk-or-management" },
    alertWebhook: {
      url: "https://hooks.example.com/a?b=c",
      proxyUrl: undefined,
      secret: Buffer.from(WEBHOOK_SECRET.slice(6), "base64"),
    },
    metrics: { port: 29, host: "0.0.0.0", keyLabel: true },
    rateLimit: { max: 7, windowMs: 8 },
    budgetWaitMs: 28,
    redisUrl: "rediss://user:pw@example.com:6379/0",
    redisTimeoutMs: 28,
    trustProxy: ["loopback", "10.0.0.0/8", "2001:db8::/32", "192.0.2.1"],
    bodyLimitBytes: 9,
    bodyMemoryBytes: 26,
    maxInFlight: 10,
    maxInFlightPerKey: 27,
    upstreamTotalTimeoutMs: 22,
    responseLimitBytes: 23,
    maxConnections: 25,
    clientStallTimeoutMs: 14,
    keepAliveTimeoutMs: 620_000,
    drainMs: 0,
    shutdownGraceMs: 15,
    logLevel: "silent",
    corsOrigins: ["https://app.example.com", "http://localhost:3000"],
    settings: expect.any(Array),
  };
  expect(loadConfig(EVERYTHING)).toEqual(expected);
  expect(loadConfig(spaced)).toEqual(expected);
});

test("empty and blank values count as unset", () => {
  for (const value of ["", " \t "]) {
    const blank = Object.fromEntries(Object.keys(EVERYTHING).map((name) => [name, value]));
    expect(loadConfig(blank)).toEqual(loadConfig({}));
  }
});

test("unknown variables are ignored", () => {
  expect(loadConfig({ PATH: "/bin", openrouter_api_key: "x", __proto__: "x" })).toEqual(loadConfig({}));
});

test("the configuration is immutable", () => {
  const config = loadConfig(EVERYTHING);
  const { upstream, store, ledger, rateLimit, trustProxy, corsOrigins, gatewayKeys, account, alertWebhook } =
    config;
  const { drainBounds } = ledger;
  const parts = [
    config,
    upstream,
    store,
    ledger,
    drainBounds,
    account,
    alertWebhook,
    rateLimit,
    trustProxy,
    corsOrigins,
    gatewayKeys,
    config.settings,
    ...config.settings,
  ];
  expect(parts.filter((part) => !Object.isFrozen(part))).toEqual([]);
});

test("lists every mistake at once with the name of its variable, and without values", () => {
  const values: Record<string, string> = {
    HOST: `http://${SECRET}/`,
    PORT: `80${SECRET}`,
    OPENROUTER_API_KEY: `sk or ${SECRET}`,
    OPENROUTER_BASE_URL: `https://user:${SECRET}@openrouter.ai/api/v1`,
    GATEWAY_API_KEYS: `team:${SECRET},team:${SECRET}2,${SECRET}3,bad name:${SECRET}4,x:sha256=${SECRET}`,
    ALLOW_ANONYMOUS: SECRET,
    DATA_DIR: `\0${SECRET}`,
    DATA_DIR_PERSISTENT: SECRET,
    DATABASE_URL: `mysql://root:${SECRET}@example.com/x`,
    STORE_OUTAGE_GRACE_MS: SECRET,
    SETTLE_AFTER_MS: SECRET,
    SETTLE_GIVE_UP_MS: SECRET,
    LEDGER_RETENTION_DAYS: SECRET,
    JOURNAL_MAX_BYTES: SECRET,
    DISCONNECT_HEAD_WAIT_MS: SECRET,
    DISCONNECT_DRAIN_MS: SECRET,
    DISCONNECT_DRAIN_BYTES: SECRET,
    OPENROUTER_MANAGEMENT_KEY: `sk or ${SECRET}`,
    ACCOUNT_POLL_MS: SECRET,
    ACCOUNT_LOW_USD: SECRET,
    ALERT_WEBHOOK_URL: `https://user:${SECRET}@example.com`,
    ALERT_WEBHOOK_SECRET: `whsec_${SECRET}`,
    RATE_LIMIT_MAX: SECRET,
    RATE_LIMIT_WINDOW_MS: SECRET,
    REDIS_URL: `http://:${SECRET}@example.com`,
    TRUST_PROXY: SECRET,
    BODY_LIMIT_BYTES: SECRET,
    BODY_MEMORY_BYTES: SECRET,
    MAX_IN_FLIGHT: SECRET,
    MAX_IN_FLIGHT_PER_KEY: SECRET,
    MAX_CONNECTIONS: SECRET,
    UPSTREAM_CONNECT_TIMEOUT_MS: SECRET,
    UPSTREAM_HEADERS_TIMEOUT_MS: SECRET,
    UPSTREAM_IDLE_TIMEOUT_MS: SECRET,
    UPSTREAM_TOTAL_TIMEOUT_MS: SECRET,
    RESPONSE_LIMIT_BYTES: SECRET,
    CLIENT_STALL_TIMEOUT_MS: SECRET,
    KEEP_ALIVE_TIMEOUT_MS: SECRET,
    DRAIN_MS: SECRET,
    SHUTDOWN_GRACE_MS: SECRET,
    LOG_LEVEL: SECRET,
    CORS_ORIGINS: `https://${SECRET}.example.com/path`,
    APP_URL: SECRET,
    APP_TITLE: `${SECRET}é`,
  };
  const mistakes = listMistakes(values);
  const named = new Set(mistakes.map((mistake) => mistake.split(" ", 1)[0]));
  expect(Object.keys(values).filter((name) => !named.has(name))).toEqual([]);
  expect(mistakes.filter((mistake) => mistake.startsWith("GATEWAY_API_KEYS item"))).toHaveLength(4);
  expect(mistakes.join("\n")).not.toContain(SECRET);
  expect(() => loadConfig(values)).toThrow(`has ${mistakes.length} mistake(s)`);
  expect(() => loadConfig(values)).toThrow(mistakes.join("\n  - "));
});

test.each([
  [
    "without a secret",
    { OPENROUTER_API_KEY: "sk-or" },
    "ALERT_WEBHOOK_URL is set without ALERT_WEBHOOK_SECRET",
  ],
  [
    "without a database",
    { OPENROUTER_API_KEY: "sk-or", GATEWAY_API_KEYS: "a:b", ALERT_WEBHOOK_SECRET: WEBHOOK_SECRET },
    "ALERT_WEBHOOK_URL is set without a database",
  ],
  [
    "in own-key mode",
    { ALERT_WEBHOOK_SECRET: WEBHOOK_SECRET },
    "ALERT_WEBHOOK_URL is set without a database",
  ],
])("a webhook %s is a mistake", (_, env, mistake) => {
  const mistakes = listMistakes({ ...env, ALERT_WEBHOOK_URL: "https://example.com/hook" });
  expect(mistakes).toEqual([expect.stringContaining(mistake)]);
});
