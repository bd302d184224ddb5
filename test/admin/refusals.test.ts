import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { type TestRequest, sendRequest } from "../support/send-request.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { type AdminApp, startAdminApp } from "../support/admin-app.ts";

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly param: string | null;
  readonly message: string;
}

async function start(): Promise<AdminApp> {
  return startAdminApp(await openTestDatabase());
}

/** Sends a request that the gateway must refuse, and expects an OpenAI error with all of its fields. */
async function sendInvalid(app: AdminApp, { path = "", ...request }: TestRequest): Promise<Refusal> {
  const response = await sendRequest(app.port, { ...request, path: `/admin/v1${path}` });
  expect(response.headers["content-type"]).toBe("application/json");
  const { error } = JSON.parse(response.body.toString()) as { error: Refusal & { type: string } };
  expect(Object.keys(error).toSorted()).toEqual(["code", "message", "param", "type"]);
  return { status: response.status, code: error.code, param: error.param, message: error.message };
}

/** A request, and the code, the param and a part of the message of the error that it must cause. */
type Row = readonly [TestRequest, string, string | null, string];
const post = (body: unknown): TestRequest => ({ path: "/keys", body: JSON.stringify(body) });
const get = (path: string): TestRequest => ({ method: "GET", path, body: "" });
const patch = (body: unknown): TestRequest => ({
  method: "PATCH",
  path: "/keys/x",
  body: JSON.stringify(body),
});
const BY = "some of key, group, model, provider, endpoint, end_user, day, separated by commas";
const WHEN = "a date such as 2026-11-01, or a time such as 2026-11-01T12:00:00Z";
const LONG = "x".repeat(65);

const FAULTS: readonly Row[] = [
  [post({}), "missing_required_parameter", "name", "name is missing."],
  [{ path: "/keys", body: "" }, "missing_required_parameter", null, "The request body is empty"],
  [{ method: "PATCH", path: "/keys/x", body: "" }, "missing_required_parameter", null, "is empty"],
  [post({ name: 5 }), "invalid_type", "name", "name must be a string."],
  [post({ name: "key_x" }), "invalid_value", "name", "must not begin with key_"],
  [post({ name: LONG }), "invalid_value", "name", "up to 64 letters"],
  [post({ name: "x", role: "owner" }), "invalid_value", "role", "role must be caller or admin."],
  [post({ name: "x", owner: "" }), "invalid_value", "owner", "owner must not be empty."],
  [post({ name: "x", metadata: [] }), "invalid_type", "metadata", "metadata must be an object."],
  [post({ name: "x", metadata: { a: 1 } }), "invalid_type", "metadata.a", "metadata.a must be a string."],
  [post({ name: "x", metadata: { [LONG]: "" } }), "invalid_value", `metadata.${LONG}`, "1 to 64 characters"],
  [post({ name: "x", owner: "a\0b" }), "invalid_value", "owner", "must not contain control characters."],
  [post({ name: "anonymous" }), "invalid_value", "name", "is reserved for requests without a key"],
  [post({ name: "x", models: "a" }), "invalid_type", "models", "models must be an array."],
  [post({ name: "x", models: ["a", "b c"] }), "invalid_value", "models[1]", "without spaces"],
  [post({ name: "x", disabled: "no" }), "invalid_type", "disabled", "disabled must be true or false."],
  [post({ name: "x", expires_at: "soon" }), "invalid_value", "expires_at", "must be a time such as"],
  [post({ name: "x", expires_at: true }), "invalid_value", "expires_at", "must be a time such as"],
  [post({ name: "x", expires_at: 2 ** 53 - 1 }), "invalid_value", "expires_at", "before the year 10000"],
  [post({ name: "x", expires_at: 1 }), "invalid_value", "expires_at", "The expiry is in the past"],
  [post({ name: "x", secret: "mine" }), "invalid_value", "secret", "secret is unknown; remove it."],
  [post({ name: "x", expiresAt: 1 }), "invalid_value", "expiresAt", "is unknown; remove it"],
  [patch({ role: "admin" }), "invalid_value", "role", "role is unknown; remove it"],
  [patch({ name: null }), "invalid_type", "name", "name must be a string."],
  [{ path: "/keys/x/rotate", body: '{"grace_ms":-1}' }, "invalid_value", "grace_ms", "at least 0"],
  [{ path: "/keys/x/rotate", body: '{"grace_ms":1e12}' }, "invalid_value", "grace_ms", "at most 30 days"],
  [{ path: "/keys/x/rotate", body: '{"grace_ms":0.5}' }, "invalid_type", "grace_ms", "a whole number"],
  [get(`/keys/${LONG}`), "invalid_value", "key", "key must have at most 64 characters."],
  [get("/keys?limit=501"), "invalid_value", "limit", "limit must be at most 500."],
  [get("/keys?limit=many"), "invalid_type", "limit", "limit must be a number."],
  [get("/keys?limit=1&limit=2"), "invalid_type", "limit", "limit must be a number."],
  [get("/keys?limit=1.5"), "invalid_type", "limit", "limit must be a whole number."],
  [get("/keys?include_revoked=1"), "invalid_value", "include_revoked", "must be true or false."],
  [get("/keys?name=x"), "invalid_value", "name", "name is unknown; remove it"],
  [get("/keys?owner=a&owner=b"), "invalid_type", "owner", "owner must be a string."],
  [get("/keys?__proto__=x"), "invalid_value", "__proto__", "is unknown; remove it"],
  [get("/keys/%00"), "invalid_value", "key", "key must not contain control characters."],
  [get("/keys?owner=%00"), "invalid_value", "owner", "must not contain control characters."],
  [get("/keys?after=%00"), "invalid_value", "after", "must not contain control characters."],
  [get("/audit?before=%00"), "invalid_value", "before", "must not contain control characters."],
  [get("/usage?model=%00"), "invalid_value", "model", "must not contain control characters."],
  [get("/usage?provider=%00"), "invalid_value", "provider", "must not contain control characters."],
  [get("/requests?key=env:%00"), "invalid_value", "key", "must not contain control characters."],
  [get("/audit?limit=0"), "invalid_value", "limit", "limit must be at least 1."],
  [get("/usage?by=key,hour"), "invalid_value", "by", `by must be ${BY}.`],
  [get("/usage?by="), "invalid_value", "by", `by must be ${BY}.`],
  [get("/usage?from=yesterday"), "invalid_value", "from", `from must be ${WHEN}.`],
  [get("/usage?from=2026-02-30"), "invalid_value", "from", WHEN],
  [get("/usage?to=2026-11-01T00:00:00"), "invalid_value", "to", WHEN],
  [get("/usage?from=2026-11-02&to=2026-11-01"), "invalid_value", "from", "from must be before to"],
  [get("/usage?to=2026-11-01&from=2026-11-01"), "invalid_value", "from", "from must be before to"],
  [get("/usage?format=ndjson"), "invalid_value", "format", "format must be json or csv."],
  [get("/requests?format=xml"), "invalid_value", "format", "must be one of json, ndjson, csv."],
  [get("/requests?state=done"), "invalid_value", "state", "open, pending, settled, unknown."],
  [get("/requests?limit=0"), "invalid_value", "limit", "limit must be at least 1."],
  [get("/requests?limit=5001"), "invalid_value", "limit", "limit must be at most 5000."],
  [get("/requests?limit=1.5"), "invalid_type", "limit", "limit must be a whole number."],
  [get("/requests?limit="), "invalid_value", "limit", "limit must be at least 1."],
  [get("/requests?limit=all"), "invalid_type", "limit", "limit must be a number."],
  [get("/requests?order=newest"), "invalid_value", "order", "order must be asc or desc."],
  ...[
    "",
    "x",
    "0mvx2crdai000000",
    "MG12eDJjcmNxaTAwMDAwMA==",
    "MG12eDJjcmNxaTAwMDAwMB",
    "J29yIDE9MS0tMDAw",
    "%00",
  ].map((cursor): Row => [
    get(`/requests?cursor=${cursor}`),
    "invalid_value",
    "cursor",
    "cursor must be the next_cursor of an earlier response.",
  ]),
  [get("/requests?cursor=a&cursor=b"), "invalid_type", "cursor", "cursor must be a string."],
  [get("/requests?modle=x"), "invalid_value", "modle", "modle is unknown; remove it"],
];

test("responds with 400 to an invalid request, and names the invalid field", async () => {
  const app = await start();
  for (const [request, code, param, words] of FAULTS) {
    const { message, ...rest } = await sendInvalid(app, request);
    expect([request, rest]).toEqual([request, { status: 400, code, param }]);
    expect(message).toContain(words);
  }
  expect(app.ended.every(({ errorSource }) => errorSource === "client")).toBe(true);
});

test("responds with 404 to a request that names an unknown key", async () => {
  const app = await start();
  for (const path of ["/keys/nobody", "/usage?key=nobody", "/requests?key=nobody", "/audit?key=nobody"])
    expect([path, await sendInvalid(app, get(path))]).toMatchObject([
      path,
      { status: 404, code: "key_not_found", param: "key" },
    ]);
});

test("refuses a body that is not JSON, not UTF-8, compressed or too long, or has a duplicate field", async () => {
  const app = await start();
  const type = (value: string | undefined) => ({ headers: { "content-type": value } });
  const cases: readonly (readonly [TestRequest, number, string])[] = [
    [{ body: "{" }, 400, "invalid_json"],
    [{ body: "[]" }, 400, "invalid_json"],
    [{ body: "null" }, 400, "invalid_json"],
    [{ body: '{"name":"a","name":"b"}' }, 400, "duplicate_field"],
    [{ body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]) }, 400, "invalid_utf8"],
    [{ body: `{"name":${"[".repeat(600)}` }, 400, "json_too_deep"],
    [{ body: "name=x", ...type("application/x-www-form-urlencoded") }, 415, "unsupported_media_type"],
    [{ body: "{}", ...type(undefined) }, 415, "unsupported_media_type"],
    [{ body: "{}", ...type("application/json; charset=latin1") }, 415, "unsupported_media_type"],
    [{ body: gzipSync("{}"), headers: { "content-encoding": "gzip" } }, 415, "unsupported_content_encoding"],
    [{ body: JSON.stringify({ name: "x".repeat(65_536) }) }, 413, "request_too_large"],
  ];
  for (const [request, status, code] of cases)
    expect([code, await sendInvalid(app, { path: "/keys", ...request })]).toMatchObject([
      code,
      { status, code },
    ]);
});

test("a 405 response lists the methods that the URL supports", async () => {
  const app = await start();
  const urls = {
    "/keys": "GET, POST",
    "/keys/x": "GET, PATCH, DELETE",
    "/keys/x/rotate": "POST",
    "/audit": "GET",
    "/usage": "GET",
    "/requests": "GET",
  };
  for (const [path, allow] of Object.entries(urls))
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      if (allow.split(", ").includes(method)) continue;
      const response = await sendRequest(app.port, { method, path: `/admin/v1${path}`, body: "{}" });
      expect([method, path, response.status, response.headers["allow"]]).toEqual([method, path, 405, allow]);
    }
});

test("responds with 503 to a change when the disk is full", async () => {
  const database = await openTestDatabase();
  const app = await startAdminApp(database);
  const pages = database.sqlite?.prepare("pragma page_count").get()?.["page_count"];
  database.sqlite?.exec(`pragma max_page_count = ${Number(pages)}`);
  for (let count = 0; count < 1_000; count++) {
    const { status, body, headers } = await sendRequest(app.port, {
      ...post({ name: `k${count}` }),
      path: "/admin/v1/keys",
    });
    if (status === 201) continue;
    expect([status, headers["retry-after"]]).toEqual([503, "2"]);
    expect(JSON.parse(body.toString())).toMatchObject({ error: { code: "store_unavailable" } });
    return;
  }
  expect.unreachable("the database was never full");
});
