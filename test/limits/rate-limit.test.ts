import { expect, onTestFinished, test, vi } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const startUpstream = () =>
  startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );

test("the gateway admits RATE_LIMIT_MAX requests of a key per window, and then responds with 429 and the headers that SDKs read", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, {
    RATE_LIMIT_MAX: "3",
    RATE_LIMIT_WINDOW_MS: "120000",
  });
  const responses = [];
  for (let sent = 0; sent < 5; sent++) responses.push(await sendRequest(gateway.port));
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
  expect(responses[1]?.headers).toMatchObject({
    "x-ratelimit-limit": "3",
    "x-ratelimit-remaining": "1",
    "x-ratelimit-reset": "120",
    "x-ratelimit-limit-requests": "3",
    "x-ratelimit-remaining-requests": "1",
    "x-ratelimit-reset-requests": "2m0s",
  });
  expect(responses[3]?.headers).toMatchObject({
    "retry-after": "60",
    "retry-after-ms": "60000",
    "x-ratelimit-remaining": "0",
  });
  expect(JSON.parse(responses[3]?.body.toString() ?? "")).toMatchObject({
    error: { type: "rate_limit_error", code: "rate_limit_exceeded" },
  });
  expect(upstream.seen.length).toBe(3);
});

test("the gateway counts the requests of each key separately", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, {
    RATE_LIMIT_MAX: "1",
    GATEWAY_API_KEYS: "a:sk-a,b:sk-b",
  });
  const statusFor = async (key: string) =>
    (await sendRequest(gateway.port, { headers: { authorization: `Bearer ${key}` } })).status;
  expect([await statusFor("sk-a"), await statusFor("sk-a"), await statusFor("sk-b")]).toEqual([
    200, 429, 200,
  ]);
});

test("a key can send requests again when its window ends", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, {
    RATE_LIMIT_MAX: "1",
    RATE_LIMIT_WINDOW_MS: "200",
  });
  await sendRequest(gateway.port);
  expect(
    await waitUntil(async () => (await sendRequest(gateway.port)).status === 200, "the end of the window"),
  ).toBe(true);
});

test("setting the system clock back by an hour does not extend the time for which a caller is blocked", async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, {
    RATE_LIMIT_MAX: "1",
    RATE_LIMIT_WINDOW_MS: "2000",
  });
  expect([(await sendRequest(gateway.port)).status, (await sendRequest(gateway.port)).status]).toEqual([
    200, 429,
  ]);
  const { now } = Date;
  const clock = vi.spyOn(Date, "now").mockImplementation(() => now() - 3_600_000);
  onTestFinished(() => clock.mockRestore());
  expect((await sendRequest(gateway.port)).status).toBe(429);
  expect(
    await waitUntil(async () => (await sendRequest(gateway.port)).status === 200, "the end of the window"),
  ).toBe(true);
});

test.each([
  ["failed logins", { headers: { authorization: "Bearer sk-wrong" } }, 401],
  ["unknown URLs", { path: "/admin.php" }, 404],
])(
  "the gateway limits %s per address, and still accepts a valid key from this address",
  async (_, request, status) => {
    const upstream = await startUpstream();
    const gateway = await startTestGateway(upstream.baseUrl, { RATE_LIMIT_MAX: "2" });
    const statuses = [];
    for (let sent = 0; sent < 4; sent++) statuses.push((await sendRequest(gateway.port, request)).status);
    expect(statuses).toEqual([status, status, 429, 429]);
    expect((await sendRequest(gateway.port)).status).toBe(200);
  },
);

test("the gateway limits failed logins even if RATE_LIMIT_MAX is not set", async () => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1");
  const wrong = { headers: { authorization: "Bearer sk-wrong" } };
  const statuses = new Map<number, number>();
  for (let sent = 0; sent < 605; sent++) {
    const { status } = await sendRequest(gateway.port, wrong);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  expect([...statuses]).toEqual([
    [401, 600],
    [429, 5],
  ]);
});

test("the gateway reads a caller's address from x-forwarded-for only if a trusted proxy sent this header", async () => {
  const limited = { RATE_LIMIT_MAX: "1" };
  const statusFrom = async (port: number, address: string) =>
    (await sendRequest(port, { path: "/nothing", headers: { "x-forwarded-for": address } })).status;
  const trusting = await startTestGateway("http://127.0.0.1:9/api/v1", {
    ...limited,
    TRUST_PROXY: "loopback",
  });
  expect([
    await statusFrom(trusting.port, "198.51.100.1"),
    await statusFrom(trusting.port, "198.51.100.2"),
  ]).toEqual([404, 404]);
  expect(await statusFrom(trusting.port, "198.51.100.1")).toBe(429);
  const untrusting = await startTestGateway("http://127.0.0.1:9/api/v1", limited);
  expect([
    await statusFrom(untrusting.port, "198.51.100.1"),
    await statusFrom(untrusting.port, "198.51.100.2"),
  ]).toEqual([404, 429]);
});

test("the gateway counts all addresses of an IPv6 /64 network as one caller", async () => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1", {
    RATE_LIMIT_MAX: "1",
    TRUST_PROXY: "loopback",
  });
  const statusFrom = async (address: string) =>
    (await sendRequest(gateway.port, { path: "/nothing", headers: { "x-forwarded-for": address } })).status;
  expect([
    await statusFrom("2001:db8::1"),
    await statusFrom("2001:db8::2"),
    await statusFrom("2001:db8:0:1::1"),
  ]).toEqual([404, 429, 404]);
});

test("the rate limit does not apply to health checks and preflights", async () => {
  const gateway = await startTestGateway("http://127.0.0.1:9/api/v1", {
    RATE_LIMIT_MAX: "1",
    CORS_ORIGINS: "https://app.example",
  });
  const preflight = {
    origin: "https://app.example",
    "access-control-request-method": "POST",
    authorization: undefined,
  };
  for (let sent = 0; sent < 4; sent++) {
    expect((await sendRequest(gateway.port, { method: "GET", path: "/readyz", body: "" })).status).toBe(200);
    expect(
      (await sendRequest(gateway.port, { method: "OPTIONS", body: "", headers: preflight })).status,
    ).toBe(204);
  }
});
