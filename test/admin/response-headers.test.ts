import { expect, test } from "vitest";
import { callAsPage, signIn } from "../support/dashboard-session.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { sendRequest } from "../support/send-request.ts";

const PATHS = [
  "/keys",
  "/keys/first-caller",
  "/keys/first-caller/budgets",
  "/groups",
  "/audit",
  "/alerts",
  "/health",
  "/configuration",
  "/usage",
  "/usage?format=csv",
  "/timeseries",
  "/failures",
  "/requests",
  "/requests?limit=1",
  "/requests?format=csv",
  "/requests?format=ndjson",
  "/session",
];

test("no response of the admin API may be stored or be read as another media type", async () => {
  const { port, admin } = await startKeyedGateway("http://127.0.0.1:9/api/v1");
  const { cookieHeader: cookie, headers: signedIn } = await signIn(port, admin);
  const protectedHeaders = { "cache-control": "no-store", "x-content-type-options": "nosniff" };
  expect(signedIn).toMatchObject(protectedHeaders);
  for (const path of PATHS) {
    const { status, headers } = await sendRequest(port, {
      method: "GET",
      path: `/admin/v1${path}`,
      headers: { authorization: undefined, "sec-fetch-site": "same-origin", cookie },
      body: "",
    });
    expect([path, status, headers]).toEqual([path, 200, expect.objectContaining(protectedHeaders)]);
  }
  const refused = await callAsPage(port, { path: "/keys" });
  expect([refused.status, refused.headers]).toEqual([401, expect.objectContaining(protectedHeaders)]);
});
