import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { callAsPage, signIn } from "../support/dashboard-session.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { createSecret, digestSecret } from "../../src/key-secret.ts";
import { sendRequest } from "../support/send-request.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";

const UPSTREAM = "http://127.0.0.1:9/api/v1";
const HOURS_12_S = 43_200;

test("a sign-in exchanges an admin key for a cookie that authenticates requests until the sign-out", async () => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const { status, headers, body, cookie, cookieHeader } = await signIn(gateway.port, gateway.admin);
  expect([status, headers["cache-control"]]).toEqual([201, "no-store"]);
  expect(body).toEqual({
    key_id: expect.stringMatching(/^key_/),
    key_name: "first-admin",
    expires_at: expect.any(String),
  });
  expect(Math.abs(Date.parse(body.expires_at) - Date.now() - HOURS_12_S * 1_000)).toBeLessThan(60_000);
  expect(cookie).toEqual({
    name: "sluice_session",
    value: expect.stringMatching(/^[\w-]{43}$/),
    maxAge: HOURS_12_S,
    path: "/admin/v1",
    httpOnly: true,
    sameSite: "strict",
  });
  const withCookie = { headers: { cookie: `a=b; ${cookieHeader}; c=d` } };
  const shown = await callAsPage(gateway.port, withCookie);
  expect([shown.status, shown.body, shown.headers["cache-control"]]).toEqual([200, body, "no-store"]);
  const created = await callAsPage(gateway.port, {
    ...withCookie,
    method: "POST",
    path: "/keys",
    body: { name: "bob" },
  });
  expect(created.status).toBe(201);
  const audit = await callAsPage(gateway.port, { ...withCookie, path: "/audit?limit=1" });
  expect(audit.body.data).toMatchObject([{ action: "create", actor: body.key_id }]);
  const out = await callAsPage(gateway.port, { ...withCookie, method: "DELETE" });
  expect([out.status, out.cookie]).toEqual([
    204,
    expect.objectContaining({ name: "sluice_session", value: "", maxAge: 0, path: "/admin/v1" }),
  ]);
  for (const path of ["/session", "/keys"]) {
    expect(await callAsPage(gateway.port, { ...withCookie, path })).toMatchObject({
      status: 401,
      body: { error: { code: "invalid_session" } },
    });
  }
});

test("neither the log nor the database contains the token or the key", async () => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const { cookie, cookieHeader, body } = await signIn(gateway.port, gateway.admin);
  await signIn(gateway.port, createSecret());
  const files = readdirSync(gateway.dataDir).filter((name) => name.startsWith("sluice.db"));
  const stored = files.map((name) => readFileSync(join(gateway.dataDir, name), "latin1")).join("");
  expect(stored).toContain(digestSecret(String(cookie?.value)).toString("hex"));
  expect([stored.includes(String(cookie?.value)), stored.includes(gateway.admin)]).toEqual([false, false]);
  await callAsPage(gateway.port, { method: "DELETE", headers: { cookie: cookieHeader } });
  const log = gateway.readLog();
  const lines = log.split("\n").filter((line) => line.includes('"session: '));
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      msg: "session: signed in",
      key_id: body.key_id,
      key: "first-admin",
      address: "127.0.0.1",
    }),
    expect.objectContaining({
      msg: "session: signed out",
      key_id: body.key_id,
      key: "first-admin",
      address: "127.0.0.1",
    }),
  ]);
  expect(log).not.toContain(cookie?.value);
  expect(log).not.toContain(gateway.admin);
});

test("refuses unknown, mistyped, disabled and revoked keys with the same response", async () => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const create = async (name: string): Promise<string> =>
    (await gateway.callAdmin("POST", "/keys", { name, role: "admin" })).body.secret;
  const [disabled, revoked] = [await create("disabled"), await create("revoked")];
  await gateway.callAdmin("PATCH", "/keys/disabled", { disabled: true });
  await gateway.callAdmin("DELETE", "/keys/revoked");
  for (const key of [createSecret(), "sk-slc-mistyped", "password", disabled, revoked]) {
    const response = await signIn(gateway.port, key);
    expect([response.status, response.body, response.cookie]).toEqual([
      401,
      {
        error: {
          message:
            "The key is unknown, expired, disabled or revoked; sign in with the secret of an admin key.",
          type: "authentication_error",
          param: "key",
          code: "invalid_api_key",
        },
      },
      undefined,
    ]);
  }
});

test("refuses a caller's key with 403 and sets no cookie", async () => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const response = await signIn(gateway.port, gateway.caller);
  expect([response.status, response.body.error.code, response.cookie]).toEqual([
    403,
    "key_role_not_allowed",
    undefined,
  ]);
  expect(JSON.stringify(response.body)).not.toContain("first-caller");
});

test.each([[{}], [{ key: "" }], [{ key: 1 }], [{ key: "a".repeat(513) }], [{ key: "a", other: 1 }]])(
  "refuses the body %j with 400",
  async (body) => {
    const gateway = await startKeyedGateway(UPSTREAM);
    expect((await callAsPage(gateway.port, { method: "POST", body })).status).toBe(400);
  },
);

test("a request that sends a key, valid or not, does not use the cookie", async () => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const { cookieHeader: cookie } = await signIn(gateway.port, gateway.admin);
  const call = async (path: string, headers: Record<string, string>) =>
    callAsPage(gateway.port, { path, headers: { cookie, ...headers } });
  for (const headers of [
    { authorization: `Bearer ${createSecret()}` },
    { authorization: `bearer ${createSecret()}` },
    { authorization: "Bearer" },
    { "x-api-key": "a" },
    { authorization: "Basic YTpi", "x-api-key": "a" },
  ])
    expect((await call("/keys", headers)).body.error?.code).toBe("invalid_api_key");
  expect((await call("/keys", { "x-api-key": gateway.caller })).status).toBe(403);
  const withKey = { authorization: `Bearer ${gateway.admin}` };
  expect((await call("/keys", withKey)).status).toBe(200);
  expect((await call("/session", withKey)).body.error.code).toBe("invalid_session");
});

test.each(["Basic YTpi", "Negotiate YTpi", "BearerToken a", ""])(
  "a request with the authorization %j of a proxy in front uses the cookie",
  async (authorization) => {
    const gateway = await startKeyedGateway(UPSTREAM);
    const { status, cookieHeader: cookie } = await signIn(gateway.port, gateway.admin, { authorization });
    expect(status).toBe(201);
    const call = async (method: string, headers: Record<string, string>) =>
      (await callAsPage(gateway.port, { method, headers: { authorization, ...headers } })).status;
    expect(await call("GET", { cookie })).toBe(200);
    expect(await call("GET", { cookie, "sec-fetch-site": "same-site" })).toBe(403);
    expect(await call("GET", {})).toBe(401);
    expect(await call("DELETE", { cookie })).toBe(204);
  },
);

test("the cookie gives no access to models, and does not reach upstream", async () => {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
  const gateway = await startKeyedGateway(upstream.baseUrl);
  const { cookie, cookieHeader } = await signIn(gateway.port, gateway.admin);
  const withCookie = { headers: { cookie: cookieHeader } };
  expect((await gateway.call(gateway.caller, withCookie)).status).toBe(200);
  expect((await gateway.call("", withCookie)).status).toBe(401);
  expect(upstream.seen).toHaveLength(1);
  expect(JSON.stringify(upstream.seen[0]?.headers)).not.toContain(cookie?.value);
});

test("other methods of the session get 405", async () => {
  const gateway = await startKeyedGateway(UPSTREAM);
  const response = await callAsPage(gateway.port, { method: "PUT" });
  expect([response.status, response.headers["allow"]]).toEqual([405, "GET, POST, DELETE"]);
});

test("with DASHBOARD_SESSION_MS=0, there are no sessions, and a cookie is ignored", async () => {
  const on = await startKeyedGateway(UPSTREAM);
  const { cookieHeader: cookie } = await signIn(on.port, on.admin);
  await on.stop();
  const off = await startKeyedGateway(UPSTREAM, { DATA_DIR: on.dataDir, DASHBOARD_SESSION_MS: "0" });
  expect((await signIn(off.port, on.admin)).body.error.code).toBe("unknown_url");
  for (const path of ["/dashboard", "/dashboard/keys"])
    expect((await sendRequest(off.port, { method: "GET", path, body: "" })).status).toBe(404);
  for (const [path, code] of [
    ["/session", "unknown_url"],
    ["/keys", "invalid_api_key"],
  ] as const)
    expect((await callAsPage(off.port, { path, headers: { cookie } })).body.error.code).toBe(code);
  const again = await startKeyedGateway(UPSTREAM, { DATA_DIR: on.dataDir });
  expect((await callAsPage(again.port, { headers: { cookie } })).status).toBe(200);
});
