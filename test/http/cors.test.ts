import { expect, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";

const PAGE = "https://app.example";
const preflight = (origin: string) => ({
  method: "OPTIONS",
  body: "",
  headers: {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,x-stainless-os",
    authorization: undefined,
  },
});

/** @returns the log lines about refused origins. */
function refusals({ logs }: TestGateway): { level: unknown; origin: unknown }[] {
  return logs
    .filter(({ msg }) => String(msg).includes("CORS_ORIGINS"))
    .map(({ level, origin }) => ({ level, origin }));
}

test("allows a page of a listed origin to send requests and to read the request ids", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json", vary: "Accept" }, "{}")),
  );
  const gateway = await startTestGateway(upstream.baseUrl, { CORS_ORIGINS: `https://other.example,${PAGE}` });
  const allowed = await sendRequest(gateway.port, preflight(PAGE));
  expect(allowed.status).toBe(204);
  expect(allowed.headers).toMatchObject({
    "access-control-allow-origin": PAGE,
    "access-control-allow-headers": "authorization,x-stainless-os",
    "access-control-max-age": "600",
  });
  expect(allowed.headers["access-control-allow-credentials"]).toBeUndefined();
  for (const headers of [{ origin: PAGE }, { origin: PAGE, authorization: "Bearer sk-wrong" }]) {
    const response = await sendRequest(gateway.port, { headers });
    expect(response.headers["access-control-allow-origin"]).toBe(PAGE);
    expect(response.headers["vary"]).toMatch(/Origin/i);
    expect(response.headers["access-control-expose-headers"]).toMatch(/x-request-id.*x-generation-id/);
  }
});

test.each(["https://evil.example", "null", `${PAGE}.evil.example`, "http://app.example"])(
  "refuses a preflight from a page of %s, and states the reason in the response and in the log",
  async (origin) => {
    const gateway = await startTestGateway("http://127.0.0.1:9/api/v1", { CORS_ORIGINS: PAGE });
    const response = await sendRequest(gateway.port, preflight(origin));
    expect(response.headers["access-control-allow-origin"]).toBeUndefined();
    expect([response.status, JSON.parse(response.body.toString()).error]).toEqual([
      403,
      expect.objectContaining({
        code: "origin_not_allowed",
        message: expect.stringContaining("CORS_ORIGINS"),
      }),
    ]);
    expect(await gateway.waitForRequestLog("the preflight")).toMatchObject({
      status: 403,
      outcome: "rejected",
      error: "origin_not_allowed",
    });
    expect(refusals(gateway)).toEqual([{ level: 40, origin }]);
    const request = await sendRequest(gateway.port, { headers: { origin, authorization: undefined } });
    expect([request.status, request.headers["access-control-allow-origin"]]).toEqual([401, undefined]);
  },
);

test.each([
  [
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
  ],
  ["chrome-extension://*", "chrome-extension://abcdefghijklmnopabcdefghijklmnop"],
  [
    "moz-extension://9b2f0e5c-0d3b-4c0e-8f3a-1d2e3f405162",
    "moz-extension://9b2f0e5c-0d3b-4c0e-8f3a-1d2e3f405162",
  ],
  [
    "safari-web-extension://A1B2C3D4-0000-4000-8000-000000000000",
    "safari-web-extension://A1B2C3D4-0000-4000-8000-000000000000",
  ],
  ["app://obsidian.md", "app://obsidian.md"],
  ["app://.", "app://."],
  ["tauri://localhost", "tauri://localhost"],
  ["capacitor://localhost", "capacitor://localhost"],
  ["ionic://localhost", "ionic://localhost"],
  ["vscode-webview://0a1b2c3d", "vscode-webview://0a1b2c3d"],
  ["file://", "file://"],
  ["https://*.example.com", "https://app.example.com"],
  ["https://*.example.com", "https://a.b.example.com"],
  ["https://*.example.com:8443", "https://app.example.com:8443"],
  ["http://localhost:*", "http://localhost:5173"],
  ["http://localhost:*", "http://localhost"],
  ["http://[::1]:*", "http://[::1]:3000"],
  ["*", "https://anything.example"],
  ["*", "null"],
])("CORS_ORIGINS=%s allows a page of %s", async (allowed, origin) => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1", {
    CORS_ORIGINS: `https://a.example,${allowed}`,
  });
  const response = await sendRequest(gateway.port, preflight(origin));
  const expected = allowed === "*" ? "*" : origin;
  expect([response.status, response.headers["access-control-allow-origin"]]).toEqual([204, expected]);
  expect(refusals(gateway)).toEqual([]);
});

test.each([
  ["https://*.example.com", "https://example.com"],
  ["https://*.example.com", "https://evilexample.com"],
  ["https://*.example.com", "https://app.example.com.evil.example"],
  ["https://*.example.com", "http://app.example.com"],
  ["https://*.example.com", "https://app.example.com:8443"],
  ["https://*.example.com", "https://evil.example/.example.com"],
  ["http://localhost:*", "http://localhost.evil.example:80"],
  ["chrome-extension://*", "moz-extension://abc"],
  ["https://a.example", "https://A.example"],
])("CORS_ORIGINS=%s refuses a page of %s", async (allowed, origin) => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1", { CORS_ORIGINS: allowed });
  const response = await sendRequest(gateway.port, preflight(origin));
  expect([response.status, response.headers["access-control-allow-origin"]]).toEqual([403, undefined]);
});

test("logs each refused origin once a minute, at most twenty origins, and not the text of a malformed origin", async () => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1", { CORS_ORIGINS: PAGE });
  const origins = [
    "https://a.example/?secret=1",
    "x".repeat(5_000),
    "https://evil.example",
    "https://evil.example",
  ];
  for (let index = 0; index < 30; index++) origins.push(`https://${index}.example`);
  for (const origin of origins) await sendRequest(gateway.port, preflight(origin));
  const logged = refusals(gateway).map(({ origin }) => origin);
  expect(logged.slice(0, 3)).toEqual(["(malformed)", "https://evil.example", "https://0.example"]);
  expect(logged).toHaveLength(20);
});

test("sends no CORS headers and logs the origin if CORS_ORIGINS is not set", async () => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1");
  const response = await sendRequest(gateway.port, preflight(PAGE));
  expect(response.status).toBe(405);
  expect(Object.keys(response.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  expect(refusals(gateway)).toEqual([{ level: 40, origin: PAGE }]);
});
