import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { Finding } from "../../src/doctor/finding.ts";
import { planBusyStream } from "../../src/doctor/public-url/idle-check.ts";
import { checkPublicUrl } from "../../src/doctor/public-url/public-url.ts";
import { type ProxyFaults, startBadProxy } from "../support/bad-proxy.ts";
import { CALLER_KEY, startTestGateway } from "../support/gateway.ts";

const NOWHERE = "http://127.0.0.1:9/api/v1";
const DEADLINE_MS = 30_000;

function check(url: string, { key = CALLER_KEY, idleMs = 0 }: { key?: string; idleMs?: number } = {}) {
  const options = { url, key: key === "" ? undefined : key, idleMs };
  const unknown = { bodyLimitBytes: undefined, headersTimeoutMs: undefined };
  return checkPublicUrl({ ...options, ...unknown }, AbortSignal.timeout(DEADLINE_MS));
}

/** Checks a gateway behind a proxy. @returns the findings that are neither ok nor the note about the untested silence. */
async function checkBehind(
  faults: ProxyFaults,
  options: { idleMs?: number; env?: Record<string, string> } = {},
) {
  const gateway = await startTestGateway(NOWHERE, options.env);
  const results = await check(await startBadProxy(gateway.port, faults), options);
  return results.filter(({ status, finding }) => status !== "ok" && !finding.includes("were not tested"));
}

type Expected = readonly [status: string, finding: RegExp, remedy: RegExp];

test("a gateway without a proxy has no fault, and the long body calls no model", async () => {
  const gateway = await startTestGateway(NOWHERE);
  const results = await check(`${gateway.url}/openai/v1/`, { idleMs: 300 });
  expect(results.map(({ status, finding }) => `${status}: ${finding}`)).toEqual([
    "ok: The bytes of a stream arrive unchanged.",
    expect.stringMatching(/^ok: Events arrive as they are sent, at most \d/),
    "ok: x-request-id passes in both directions.",
    "ok: Connections are kept alive.",
    "ok: A request body of 4 MiB reaches the gateway.",
    "ok: A stream may be silent for 300 ms.",
  ]);
  const posted = await gateway.waitForRequestLog("the body", (record) => record["method"] === "POST");
  expect(posted).toMatchObject({ status: 400, bytes_in: 4_194_304, outcome: "rejected" });
});

test.each<readonly [string, ProxyFaults, ...Expected]>([
  [
    "buffers streams",
    { buffers: true },
    "failed",
    /buffers streams: 11 events arrived together/,
    /proxy_buffering off/,
  ],
  [
    "compresses streams",
    { compresses: true },
    "failed",
    /compresses streams \(content-encoding: gzip\)/,
    /gzip off/,
  ],
  ["changes bytes", { replaces: ["event", "evenT"] }, "failed", /were changed/, /sub_filter/],
  ["refuses long bodies", { maxBody: 1_048_576 }, "failed", /4 MiB \(413\)/, /client_max_body_size/],
  ["replaces the request id", { requestId: "replaced" }, "warning", /is replaced/, /X-Request-Id/],
  ["removes the request id", { requestId: "removed" }, "warning", /has no x-request-id/, /proxy_hide_header/],
  ["closes connections", { closes: true }, "warning", /closed after each response/, /keepalive_timeout/],
  ["sends X-Forwarded-For", { forwardedFor: "203.0.113.9" }, "warning", /does not trust it/, /TRUST_PROXY/],
  ["ignores Expect", { ignoresExpect: true }, "warning", /No 100 Continue/, /100-continue/],
])("finds a proxy that %s", async (_fault, faults, ...expected) => {
  const [status, finding, remedy] = expected;
  const results = await checkBehind(faults);
  expect(results).toContainEqual({
    status,
    finding: expect.stringMatching(finding),
    remedy: expect.stringMatching(remedy),
  });
});

test("a proxy that compresses all responses has one fault, and the error of the gateway is recognised", async () => {
  expect(await checkBehind({ compresses: true })).toEqual([
    expect.objectContaining({ finding: expect.stringContaining("compresses streams") }),
  ]);
});

test("a trusted proxy has no fault", async () => {
  const env = { TRUST_PROXY: "loopback" };
  for (const forwardedFor of ["203.0.113.9", "127.0.0.1"])
    expect(await checkBehind({ forwardedFor }, { env })).toEqual([]);
});

test.each<[string, ProxyFaults, number, RegExp, RegExp]>([
  [
    "an idle timeout",
    { idleMs: 600 },
    3_000,
    /cut off after \d+ ms of silence; .* has an idle timeout/,
    /proxy_read_timeout 900s/,
  ],
  [
    "an idle timeout after which the response ends regularly",
    { idleMs: 600, endsRegularly: true },
    3_000,
    /of silence \(with a regular end.*has an idle timeout/,
    /proxy_read_timeout 900s/,
  ],
  [
    "a limit on the duration of responses",
    { totalMs: 3_000 },
    4_000,
    /cut off after .*, with and without silence/,
    /total timeout/,
  ],
])(
  "finds %s",
  async (_fault, faults, idleMs, ...[finding, remedy]) => {
    expect(await checkBehind(faults, { idleMs })).toEqual([
      { status: "failed", finding: expect.stringMatching(finding), remedy: expect.stringMatching(remedy) },
    ]);
  },
  60_000,
);

test.each<[string, ProxyFaults, RegExp]>([
  [
    "a redirect",
    { status: 301, headers: { location: "https://x.example/secret?a=b" } },
    /redirects \(301\) to https:\/\/x\.example\/secret\./,
  ],
  [
    "a 502",
    { status: 502 },
    /in front of the gateway responds with 502 \(server: bad\/1\.0\); the gateway did not/,
  ],
  ["a 403", { status: 403 }, /in front of the gateway responds with 403/],
  ["a 404", { status: 404 }, /in front of the gateway responds with 404/],
])("explains %s of the proxy", async (_what, faults, finding) => {
  expect(await checkBehind(faults)).toEqual([
    { status: "failed", finding: expect.stringMatching(finding), remedy: expect.stringMatching(/\S/) },
  ]);
});

test("explains that the URL leads to another server, which responds with its own page", async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<html>");
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(await check(`http://127.0.0.1:${port}/openai/v1`, { idleMs: 100 })).toEqual([
    {
      status: "failed",
      finding:
        "Something in front of the gateway responds with a document of its own (200, text/html); the request did not reach a Sluice gateway.",
      remedy: expect.stringContaining("--url"),
    },
  ]);
});

test.each(["replaced", "removed"] as const)(
  "recognises an error of the gateway if the request id is %s",
  async (requestId) => {
    const gateway = await startTestGateway(NOWHERE);
    const url = await startBadProxy(gateway.port, { requestId });
    expect(await check(url, { key: "sk-wrong" })).toMatchObject([
      { status: "failed", finding: "The gateway itself responds with 401 invalid_api_key." },
    ]);
  },
);

test("a server that accepts connections and never responds fails after the time of the stream", async () => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(await check(`http://127.0.0.1:${port}/openai/v1`, { idleMs: 60_000 })).toMatchObject([
    {
      status: "failed",
      finding: expect.stringContaining("cannot be reached: ETIMEDOUT: no complete response"),
    },
  ]);
}, 40_000);

test("refuses a silence that is longer than the gateway allows", async () => {
  expect(await check("http://127.0.0.1:1/openai/v1", { idleMs: 600_001 })).toMatchObject([
    { status: "failed", finding: "--idle is longer than the 600 s that the gateway allows." },
  ]);
});

test.each([600, 60_000, 100_000, 300_000, 599_000])(
  "the second stream is not silent, and lasts longer than a silence of %d ms",
  (silentMs) => {
    const { events, intervalMs } = planBusyStream(silentMs);
    const durationMs = (events - 1) * intervalMs;
    expect(events).toBeLessThanOrEqual(100);
    expect(intervalMs).toBeLessThanOrEqual(silentMs / 4);
    expect(durationMs).toBeGreaterThan(silentMs);
    expect(durationMs).toBeLessThanOrEqual(600_000);
  },
);

test("explains errors of the gateway: a wrong key, a wrong path and a small limit on bodies", async () => {
  const gateway = await startTestGateway(NOWHERE, { BODY_LIMIT_BYTES: "1000000" });
  const describe = (results: readonly Pick<Finding, "finding">[]) =>
    results.map(({ finding }) => finding).join();
  expect(describe(await check(`${gateway.url}/openai/v1`, { key: "sk-wrong" }))).toBe(
    "The gateway itself responds with 401 invalid_api_key.",
  );
  expect(describe(await check(gateway.url))).toBe("The gateway itself responds with 404 unknown_url.");
  expect(describe(await check(`${gateway.url}/openai/v1`))).toContain(
    "The gateway refuses a request body of 4 MiB",
  );
});

test("explains a URL that cannot be reached, and an untrusted certificate", async () => {
  const read = (name: string) => readFileSync(`test/fixtures/tls/${name}`);
  const server = createTlsServer({ key: read("self-signed.key"), cert: read("self-signed.pem") });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const cases: [string, RegExp, RegExp][] = [
    ["http://127.0.0.1:1", /ECONNREFUSED/, /firewall/],
    ["http://no-such-host.invalid", /ENOTFOUND|EAI_AGAIN/, /DNS/],
    [`https://127.0.0.1:${port}`, /DEPTH_ZERO_SELF_SIGNED_CERT/, /whole chain/],
    [`http://127.0.0.1:${port}`, /ECONNRESET|socket hang up|HPE_INVALID/, /\S/],
  ];
  for (const [url, finding, remedy] of cases)
    expect([url, await check(url)]).toEqual([
      url,
      [{ status: "failed", finding: expect.stringMatching(finding), remedy: expect.stringMatching(remedy) }],
    ]);
});

test.each([
  ["not a URL", "sk-x", "--url is not"],
  ["https://user:pass-word@x.example/v1", "sk-x", "--url is not"],
  ["http://x.example/v1", "", "SLUICE_KEY is not set"],
  ["http://x.example/v1", "two words", "SLUICE_KEY is not a key"],
])("with the URL %s and the key '%s', says what is missing", async (url, key, words) => {
  const results = await check(url, { key });
  expect(results).toMatchObject([{ status: "failed", finding: expect.stringContaining(words) }]);
  expect(JSON.stringify(results)).not.toMatch(/pass-word|two words/);
});
