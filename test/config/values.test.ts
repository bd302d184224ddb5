import { expect, test } from "vitest";
import { ConfigError, loadConfig } from "../../src/config/config.ts";

/** @returns the names of the variables with mistakes. */
function listWrongNames(environment: Record<string, string>): string[] {
  try {
    loadConfig(environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.mistakes.map((mistake) => mistake.split(" ", 1)[0] ?? "");
  }
}

const DAY_MS = 86_400_000;

test.each([
  ["PORT", 0, 65_535],
  ["METRICS_PORT", 0, 65_535],
  ["RATE_LIMIT_MAX", 0, 1_000_000_000],
  ["RATE_LIMIT_WINDOW_MS", 1, DAY_MS],
  ["BUDGET_WAIT_MS", 0, 60_000],
  ["BODY_LIMIT_BYTES", 1, 536_870_888],
  ["BODY_MEMORY_BYTES", 1, 1_099_511_627_776],
  ["MAX_IN_FLIGHT", 1, 1_000_000],
  ["MAX_IN_FLIGHT_PER_KEY", 1, 1_000_000],
  ["MAX_CONNECTIONS", 1, 1_000_000],
  ["UPSTREAM_CONNECT_TIMEOUT_MS", 1, DAY_MS],
  ["UPSTREAM_HEADERS_TIMEOUT_MS", 1, DAY_MS],
  ["UPSTREAM_IDLE_TIMEOUT_MS", 1, DAY_MS],
  ["UPSTREAM_TOTAL_TIMEOUT_MS", 1, DAY_MS],
  ["RESPONSE_LIMIT_BYTES", 1, 1_099_511_627_776],
  ["CLIENT_STALL_TIMEOUT_MS", 1, DAY_MS],
  ["DRAIN_MS", 0, DAY_MS],
  ["KEEP_ALIVE_TIMEOUT_MS", 1, DAY_MS],
  ["SHUTDOWN_GRACE_MS", 0, DAY_MS],
])("%s accepts whole numbers from %i to %i", (name, min, max) => {
  for (const value of [min, max]) expect(listWrongNames({ [name]: String(value) })).toEqual([]);
  const outside = [min - 1, max + 1].map(String);
  const notWhole = [
    "1.5",
    "1e3",
    "0x10",
    "+5",
    "1_000",
    "5 ms",
    "Infinity",
    "NaN",
    "true",
    "٣",
    "9".repeat(400),
  ];
  for (const value of [...outside, ...notWhole]) expect(listWrongNames({ [name]: value })).toEqual([name]);
  expect(() => loadConfig({ [name]: "x" })).toThrow(`${name} must be a whole number from ${min} to ${max}`);
});

test("METRICS_PORT must differ from PORT, also from its default", () => {
  expect(listWrongNames({ METRICS_PORT: "8080" })).toEqual(["METRICS_PORT"]);
  expect(listWrongNames({ PORT: "9464", METRICS_PORT: "9464" })).toEqual(["METRICS_PORT"]);
  expect(listWrongNames({ PORT: "0", METRICS_PORT: "0" })).toEqual([]);
});

const GOOD: readonly (readonly [name: string, values: readonly string[]])[] = [
  ["METRICS_HOST", ["0.0.0.0", "::1"]],
  ["METRICS_KEY_LABEL", ["true", "false"]],
  ["HOST", ["0.0.0.0", "::1", "localhost", "gateway-1.internal"]],
  [
    "OPENROUTER_BASE_URL",
    ["https://openrouter.ai/api/v1", "http://127.0.0.1:8081", "https://proxy.example.com/a/b/"],
  ],
  ["ALLOW_ANONYMOUS", ["true", "false"]],
  ["REDIS_URL", ["redis://localhost", "rediss://:pw@example.com:6380/2"]],
  ["TRUST_PROXY", ["loopback", "linklocal,uniquelocal", "192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "::1"]],
  ["LOG_LEVEL", ["fatal", "error", "warn", "info", "debug", "trace", "silent"]],
  [
    "CORS_ORIGINS",
    [
      "*",
      "https://a.example.com",
      "http://localhost:3000,https://b.example.com",
      "https://*.example.com,http://localhost:*,http://[::1]:3000",
      "chrome-extension://abc,app://.,tauri://localhost,file://",
    ],
  ],
  ["APP_URL", ["https://example.com"]],
  ["APP_TITLE", ["x", "t".repeat(512)]],
];

test.each(GOOD.flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
  "%s accepts %s",
  (name, value) => {
    expect(listWrongNames({ [name]: value })).toEqual([]);
  },
);

const BAD: readonly (readonly [name: string, values: readonly string[]])[] = [
  ["HOST", ["http://x", "a b", "x/y", "h".repeat(256)]],
  [
    "OPENROUTER_BASE_URL",
    [
      "openrouter.ai/api/v1",
      "ftp://openrouter.ai/api/v1",
      "https://",
      "https://u@openrouter.ai/api/v1",
      "https://u:p@openrouter.ai/api/v1",
      "https://:p@openrouter.ai/api/v1",
      "https://openrouter.ai/api/v1?x=1",
      "https://openrouter.ai/api/v1#x",
    ],
  ],
  ["ALLOW_ANONYMOUS", ["TRUE", "yes", "1", "0", "on"]],
  ["DATA_DIR_PERSISTENT", ["TRUE", "yes", "1", "0", "on"]],
  ["REDIS_URL", ["localhost:6379", "http://localhost", "redis"]],
  [
    "TRUST_PROXY",
    [
      "true",
      "1",
      "0",
      "*",
      "example.com",
      "10.0.0.0/33",
      "10.0.0.0/",
      "10.0.0.0/-1",
      "::1/129",
      "1.2.3",
      "10.0.0.0/8/8",
    ],
  ],
  ["LOG_LEVEL", ["INFO", "verbose", "30"]],
  [
    "CORS_ORIGINS",
    ["example.com", "https://example.com/", "https://Example.com", "null", "https://a.com/*", "a,*"].concat(
      ["https://*", "https://a*.example.com", "https://*.*.com", "https://example.*", "*.example.com"],
      ["https://a.example:443", "http://a.example:80", "https://a.example:99999", "https://bücher.example"],
      ["Chrome-Extension://a", "chrome-extension://a/", "chrome-extension://a/b", "ws://a.example", "data:x"],
    ),
  ],
  ["APP_URL", ["example.com", "https://example.com/é", "/path", `https://example.com/${"x".repeat(512)}`]],
  ["APP_TITLE", ["é", "a\nb", "a\u0000b", "t".repeat(513)]],
];

test.each(BAD.flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
  "%s rejects %j",
  (name, value) => {
    expect(listWrongNames({ [name]: value })).toEqual([name]);
  },
);

test.each(["sk or", "sk\u0000", "sk-é", "k".repeat(513)])("OPENROUTER_API_KEY rejects %j", (value) => {
  expect(listWrongNames({ OPENROUTER_API_KEY: value, GATEWAY_API_KEYS: "a:b" })).toEqual([
    "OPENROUTER_API_KEY",
  ]);
});

test.each([
  [
    "https://a.example,https://b.example/",
    "item 2 must not end in a slash, which no browser sends; leave it out",
  ],
  ["https://a.example:443", "item 1 must not name the default port, which no browser sends; leave it out"],
  ["https://A.example", "item 1 must be in lower case, as browsers send it"],
  ["https://app-*.example", "item 1 has a star in the wrong place"],
  ["null", "item 1 must not be null, which every website can send"],
  ["a.example", "item 1 must be an origin as browsers send it"],
])("rejects CORS_ORIGINS=%s and states the remedy", (value, remedy) => {
  expect(() => loadConfig({ CORS_ORIGINS: value })).toThrow(`CORS_ORIGINS ${remedy}`);
});
