import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { startConnectProxy } from "../support/connect-proxy.ts";
import { listFindings, listWithoutRemedy, runDoctor } from "../support/doctor.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

async function check(baseUrl: string, env: Record<string, string | undefined> = {}): Promise<string[]> {
  const findings = await runDoctor({
    DATA_DIR: createTemporaryDirectory(),
    OPENROUTER_BASE_URL: baseUrl,
    ...env,
  });
  expect(listWithoutRemedy(findings)).toEqual([]);
  expect(JSON.stringify(findings)).not.toContain("secret");
  return listFindings(findings, "upstream");
}

/** Starts an upstream that responds with these documents by path. @param dateMs added to the clock of `Date`. */
async function startUpstream(
  documents: Record<string, { status?: number; data?: object }>,
  dateMs = 0,
): Promise<string> {
  const server = createServer((request, response: ServerResponse) => {
    const path = request.url?.slice("/api/v1".length) ?? "";
    const { status = 200, data = path === "/models" ? [] : { limit: null } } = documents[path] ?? {};
    response.setHeader("date", new Date(Date.now() + dateMs).toUTCString());
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ data }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`;
}

test("a valid key, its limit and the account's credits are ok", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  expect(await check(simulator.baseUrl, { OPENROUTER_MANAGEMENT_KEY: "sk-or-secret-management" })).toEqual([
    expect.stringMatching(/^ok: GET http:\/\/127\.0\.0\.1:\d+\/api\/v1\/models responds with 200 in/),
    "ok: This machine's clock agrees with that of OpenRouter.",
    "ok: OPENROUTER_API_KEY is valid; $100.00 of its limit of $100.00 remain.",
    "ok: The account has $1000.00 of credits left.",
  ]);
});

test("wrong keys fail, each by its name", async () => {
  const simulator = await startSimulator({ apiKeys: ["sk-or-right"] });
  onTestFinished(() => simulator.close());
  const found = await check(simulator.baseUrl, { OPENROUTER_MANAGEMENT_KEY: "sk-or-secret-management" });
  expect(found.slice(-2)).toEqual([
    "failed: OpenRouter rejects OPENROUTER_API_KEY (401): it is wrong, disabled or expired.",
    "failed: OpenRouter rejects OPENROUTER_MANAGEMENT_KEY (401): it is wrong, disabled or expired.",
  ]);
});

test("without a key of the account, only the public part is checked", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const found = await check(simulator.baseUrl, { OPENROUTER_API_KEY: undefined, DATA_DIR: undefined });
  expect(found.at(-1)).toMatch(/^skipped: OPENROUTER_API_KEY is not set/);
});

const IN_A_DAY = new Date(Date.now() + 86_400_000).toISOString();

test.each([
  [{ limit: null, is_management_key: true }, "failed: OPENROUTER_API_KEY is a management key"],
  [{}, "warning: The response to GET /key is 200, but does not describe OPENROUTER_API_KEY."],
  [{ limit: null, limit_remaining: null }, "ok: OPENROUTER_API_KEY is valid and has no limit."],
  [
    { limit: 10, limit_remaining: 0, limit_reset: "daily" },
    "failed: OPENROUTER_API_KEY is valid; $0.00 of its limit of $10.00 (daily) remain.",
  ],
  [{ limit: 10, limit_remaining: 0.5 }, "warning: OPENROUTER_API_KEY is valid; $0.50"],
  [{ limit: null, expires_at: IN_A_DAY }, "warning: OPENROUTER_API_KEY expires at"],
  [{ limit: null, expires_at: "2020-01-01T00:00:00Z" }, "failed: OPENROUTER_API_KEY expires at 2020"],
])("OpenRouter's description %j of the key leads to '%s'", async (data, words) => {
  const found = await check(await startUpstream({ "/key": { data } }));
  expect(found.at(-1)).toContain(words);
});

test.each([
  [{ "/key": { status: 403 } }, "failed: OpenRouter does not allow OPENROUTER_API_KEY"],
  [{ "/key": { status: 500 } }, "warning: OpenRouter responds to the check of OPENROUTER_API_KEY with 500."],
  [{ "/models": { status: 503 } }, "/models responds with 503"],
  [{ "/models": { status: 404 } }, "/models responds with 404"],
  [{ "/credits": { data: { total_credits: 10, total_usage: 10 } } }, "failed: The account has $0.00"],
  [{ "/credits": { data: { total_credits: 10, total_usage: 9 } } }, "warning: The account has $1.00"],
  [{ "/credits": {} }, "warning: OpenRouter's response to GET /credits states no credits."],
])("the responses %j lead to '%s'", async (documents, words) => {
  const baseUrl = await startUpstream(documents);
  expect((await check(baseUrl, { OPENROUTER_MANAGEMENT_KEY: "sk-or-secret-m" })).join("\n")).toContain(words);
});

test.each([
  [3_000, /^ok: This machine's clock agrees/],
  [-30_000, /^warning: This machine's clock is (?:29|30) s ahead of that of OpenRouter\.$/],
  [30_000, /^warning: This machine's clock is (?:29|30) s behind that of OpenRouter\.$/],
  [-600_000, /^failed: This machine's clock is (?:599|600) s ahead/],
])("a clock of OpenRouter that is off by %d ms leads to %s", async (dateMs, expected) => {
  const found = await check(await startUpstream({}, dateMs));
  expect(found[1]).toMatch(expected);
});

test.each(["text/html", undefined])(
  "a server that is not OpenRouter's API fails, and gets no key (%s)",
  async (type) => {
    const keys: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      keys.push(request.headers.authorization);
      response.writeHead(200, { ...(type !== undefined && { "content-type": type }) }).end("<html>");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    expect(await check(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)).toEqual([
      expect.stringMatching(/^failed: GET .* responds with 200 .*: this is not OpenRouter's API\.$/),
    ]);
    expect(keys).toEqual([undefined]);
  },
);

test("explains why OpenRouter cannot be reached", async () => {
  const read = (name: string) => readFileSync(`test/fixtures/tls/${name}`);
  const tls = createTlsServer({ key: read("self-signed.key"), cert: read("self-signed.pem") }).listen(
    0,
    "127.0.0.1",
  );
  await once(tls, "listening");
  onTestFinished(() => void tls.close());
  const refusing = await startConnectProxy(9, (socket) => {
    socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
  });
  const proxy = { HTTPS_PROXY: `http://bob:secret-word@127.0.0.1:${refusing.port}`, NO_PROXY: "" };
  const port = (tls.address() as AddressInfo).port;
  const short = { UPSTREAM_CONNECT_TIMEOUT_MS: "500" };
  const cases: [string, Record<string, string>, RegExp][] = [
    [
      "http://127.0.0.1:1/api/v1",
      short,
      /^failed: .* cannot be reached: the connection is refused \(ECONNREFUSED\)/,
    ],
    ["http://no-such-host.invalid/api/v1", short, /the name cannot be resolved \((?:ENOTFOUND|EAI_AGAIN)\)/],
    [
      `https://127.0.0.1:${port}/api/v1`,
      short,
      /the certificate is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
    ],
    [
      "https://openrouter.example/api/v1",
      { ...short, ...proxy },
      /through the proxy 127\.0\.0\.1:\d+: the proxy asks for a password \(PROXY_407\)/,
    ],
  ];
  for (const [baseUrl, env, expected] of cases)
    expect([baseUrl, await check(baseUrl, env)]).toEqual([baseUrl, [expect.stringMatching(expected)]]);
}, 30_000);

test("an upstream that never responds fails within the deadline", async () => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const found = await check(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`);
  expect(found).toEqual([expect.stringMatching(/^failed: .* cannot be reached: nothing responds in time/)]);
}, 40_000);
