import { expect, test } from "vitest";
import { callAsPage, signIn } from "../support/dashboard-session.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";

const UPSTREAM = "http://127.0.0.1:9/api/v1";
const HOST = "gw.example:8080";

type Sent = Record<string, string | undefined>;
/** Headers of a request, and whether the gateway accepts it with GET and with POST. */
const ROWS: [sent: Sent, get: boolean, post: boolean][] = [
  [{ "sec-fetch-site": "same-origin" }, true, true],
  [{ "sec-fetch-site": "same-origin", origin: "https://other.example" }, true, true],
  [{ "sec-fetch-site": "none" }, true, false],
  [{ "sec-fetch-site": "same-site" }, false, false],
  [{ "sec-fetch-site": "cross-site" }, false, false],
  [{ "sec-fetch-site": "same-site", origin: `http://${HOST}` }, false, false],
  [{ "sec-fetch-site": "same-origin, none" }, false, false],
  [{}, true, false],
  [{ origin: `http://${HOST}` }, true, true],
  [{ origin: `https://${HOST}` }, true, true],
  [{ origin: "http://GW.example:8080" }, true, true],
  [{ origin: "http://gw.example" }, false, false],
  [{ origin: "http://gw.example:3000" }, false, false],
  [{ origin: "http://app.gw.example:8080" }, false, false],
  [{ origin: "http://gw.example:8080.evil.example" }, false, false],
  [{ origin: "null" }, false, false],
  [{ origin: "" }, false, false],
  [{ origin: "https://gw.example", host: "gw.example:443" }, true, true],
  [{ origin: "https://gw.example", host: "gw.example" }, true, true],
  [{ origin: "http://[::1]:8080", host: "[::1]:8080" }, true, true],
  [{ origin: `http://${HOST}`, host: "a b" }, false, false],
  // The proxy is not trusted.
  [{ origin: "https://public.example", "x-forwarded-host": "public.example" }, false, false],
];

test.each(ROWS)("with %j, accepts a GET: %j, and a POST or a sign-in: %j", async (sent, get, post) => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const { cookieHeader: cookie } = await signIn(gateway.port, gateway.admin);
  const headers = { "sec-fetch-site": undefined, host: HOST, ...sent };
  const withCookie = { ...headers, cookie };
  const statuses = [
    (await callAsPage(gateway.port, { path: "/keys", headers: withCookie })).status,
    (
      await callAsPage(gateway.port, {
        method: "POST",
        path: "/keys",
        headers: withCookie,
        body: { name: "b" },
      })
    ).status,
    (await signIn(gateway.port, gateway.admin, headers)).status,
    (await callAsPage(gateway.port, { method: "DELETE", headers: withCookie })).status,
  ];
  expect(statuses).toEqual([get ? 200 : 403, ...(post ? [201, 201, 204] : [403, 403, 403])]);
});

test("a refused page causes the error cross_origin_request, does not count as a failed login and gets no CORS credentials", async () => {
  const gateway = await startKeyedGateway(UPSTREAM, { CORS_ORIGINS: "*", RATE_LIMIT_MAX: "5" });
  const origin = "https://evil.example";
  const headers = { "sec-fetch-site": "cross-site", origin };
  for (let sent = 0; sent < 8; sent++)
    expect((await signIn(gateway.port, "wrong", headers)).body.error.code).toBe("cross_origin_request");
  const { cookieHeader: cookie, status } = await signIn(gateway.port, gateway.admin);
  expect(status).toBe(201);
  const preflight = {
    origin,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
  };
  for (const [method, sent] of [
    ["OPTIONS", preflight],
    ["GET", { ...headers, cookie }],
  ] as const) {
    const response = await callAsPage(gateway.port, { method, headers: sent });
    expect(response.headers).not.toHaveProperty("access-control-allow-credentials");
  }
});

test("a page of an origin in CORS_ORIGINS cannot use the cookie", async () => {
  const origin = "https://app.example";
  const gateway = await startKeyedGateway(UPSTREAM, { CORS_ORIGINS: origin });
  const { cookieHeader: cookie } = await signIn(gateway.port, gateway.admin);
  const headers = { "sec-fetch-site": undefined, origin, cookie };
  const response = await callAsPage(gateway.port, { path: "/keys", headers });
  expect([response.status, response.headers["access-control-allow-credentials"]]).toEqual([403, undefined]);
});

test("uses the host and the scheme that a trusted proxy forwards", async () => {
  const gateway = await startKeyedGateway(UPSTREAM, { TRUST_PROXY: "loopback" });
  const headers = { "sec-fetch-site": undefined, host: "10.0.0.1", "x-forwarded-host": "public.example" };
  const sent = { ...headers, origin: "https://public.example" };
  const { status, cookie } = await signIn(gateway.port, gateway.admin, sent);
  expect([status, cookie?.secure]).toEqual([201, true]);
  expect((await signIn(gateway.port, gateway.admin, { ...sent, origin: "https://10.0.0.1" })).status).toBe(
    403,
  );
  const forwarded = await signIn(gateway.port, gateway.admin, { "x-forwarded-proto": "https" });
  expect(forwarded.cookie?.secure).toBe(true);
  const out = await callAsPage(gateway.port, {
    method: "DELETE",
    headers: { "x-forwarded-proto": "https", cookie: forwarded.cookieHeader },
  });
  expect(out.cookie?.secure).toBe(true);
  const plain = await signIn(gateway.port, gateway.admin, { ...headers, origin: "http://public.example" });
  expect([plain.status, plain.cookie?.secure]).toEqual([201, undefined]);
});

test("the cookie is secure if the page was loaded by https, although the proxy does not state it and is not trusted", async () => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const page = { host: "gw.example", origin: "https://gw.example" };
  expect((await signIn(gateway.port, gateway.admin, page)).cookie?.secure).toBe(true);
  const untrusted = await signIn(gateway.port, gateway.admin, { "x-forwarded-proto": "https" });
  expect(untrusted.cookie?.secure).toBeUndefined();
});
