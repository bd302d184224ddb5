import { randomBytes } from "node:crypto";
import { expect, test, vi } from "vitest";
import { createSecret } from "../../src/key-secret.ts";
import { SessionStore } from "../../src/sessions/session-store.ts";
import { callAsPage, signIn } from "../support/dashboard-session.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";

const LOGINS_MAX = 5;
const createCookie = (): string => `sluice_session=${randomBytes(32).toString("base64url")}`;

async function start() {
  const gateway = await startKeyedGateway("http://127.0.0.1:9/api/v1", {
    RATE_LIMIT_MAX: String(LOGINS_MAX),
  });
  const find = vi.spyOn(SessionStore.prototype, "find");
  const readStatus = async (cookie: string) =>
    (await callAsPage(gateway.port, { path: "/session", headers: { cookie } })).status;
  return { ...gateway, find, readStatus };
}

test("over the limit of failed logins, an unknown cookie gets 429 without a look-up, and a known session stays valid", async () => {
  const { port, admin, find, readStatus } = await start();
  const { cookieHeader } = await signIn(port, admin);
  const statuses: number[] = [];
  for (let sent = 0; sent <= LOGINS_MAX; sent++) statuses.push(await readStatus(createCookie()));
  expect(statuses).toEqual([...Array.from({ length: LOGINS_MAX }, () => 401), 429]);
  find.mockClear();
  for (let sent = 0; sent < 3; sent++) expect(await readStatus(createCookie())).toBe(429);
  expect(find).not.toHaveBeenCalled();
  expect(await readStatus(cookieHeader)).toBe(200);
  expect((await signIn(port, createSecret())).status).toBe(429);
});

test("cookies without the form of a token cause no look-up", async () => {
  const { find, readStatus } = await start();
  for (const value of ["", "a", "%zz", "a".repeat(44), "' or 1=1"])
    expect(await readStatus(`sluice_session=${value}`)).toBe(401);
  expect(find).not.toHaveBeenCalled();
});

test("a burst of unknown cookies causes at most as many look-ups as the limit of failed logins allows", async () => {
  const { find, readStatus } = await start();
  const statuses = await Promise.all(Array.from({ length: 40 }, () => readStatus(createCookie())));
  expect(statuses.filter((status) => status === 401)).toHaveLength(LOGINS_MAX);
  // Four look-ups run at once, and each can begin before the failures of the others are counted.
  expect(find.mock.calls.length).toBeLessThanOrEqual(LOGINS_MAX + 4);
});

test("failed sign-ins count as failed logins, and the response states when to try again", async () => {
  const { port, admin } = await start();
  for (let sent = 0; sent < LOGINS_MAX; sent++) expect((await signIn(port, createSecret())).status).toBe(401);
  const refused = await signIn(port, createSecret());
  expect([refused.status, refused.body.error.code]).toEqual([429, "rate_limit_exceeded"]);
  expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  expect((await signIn(port, admin)).status).toBe(429);
});
