import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { formatPath, KNOWN_ENDPOINTS } from "../../src/endpoints/known-endpoints.ts";
import { type TestRequest, sendRequest } from "../support/send-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import type { RawResponse } from "../support/raw-client.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- parsed JSON, whose shape each test asserts
type Json = any;

async function start(): Promise<(path: string, request?: TestRequest) => Promise<RawResponse>> {
  const { port } = await startKeyedGateway("http://127.0.0.1:9/api/v1");
  const headers = { authorization: undefined };
  return (path, request = {}) => sendRequest(port, { method: "GET", body: "", headers, ...request, path });
}

async function fetchDescription(): Promise<Json> {
  const response = await (await start())("/openapi.json");
  expect([response.status, response.headers["content-type"]]).toEqual([
    200,
    "application/json; charset=utf-8",
  ]);
  return JSON.parse(response.body.toString());
}

/** Operations that need no key. */
const PUBLIC: readonly string[] = ["get /", "get /healthz", "get /readyz"];

/** Yields every object and array in a value, and the value itself. */
function* listObjects(value: Json): Generator<Json> {
  if (typeof value !== "object" || value === null) return;
  yield value;
  for (const inner of Object.values(value)) yield* listObjects(inner);
}

test("the API description lists every operation with its success and error responses", async () => {
  const { openapi, paths } = await fetchDescription();
  expect(openapi).toBe("3.1.0");
  const operations = Object.entries<Json>(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(operations.toSorted()).toEqual(
    [
      // The endpoints for clients are in one list, of which each is registered: see test/endpoints/not-found.test.ts.
      ...KNOWN_ENDPOINTS.map(({ method, basePath, path }) => `${method} ${basePath}/${formatPath(path)}`),
      "GET /",
      "GET /healthz",
      "GET /readyz",
      "GET /admin/v1/keys",
      "POST /admin/v1/keys",
      "GET /admin/v1/keys/{key}",
      "PATCH /admin/v1/keys/{key}",
      "DELETE /admin/v1/keys/{key}",
      "POST /admin/v1/keys/{key}/rotate",
      "GET /admin/v1/keys/{key}/budgets",
      "GET /admin/v1/groups",
      "POST /admin/v1/groups",
      "GET /admin/v1/groups/{group}",
      "PATCH /admin/v1/groups/{group}",
      "DELETE /admin/v1/groups/{group}",
      "GET /admin/v1/groups/{group}/budgets",
      "GET /admin/v1/audit",
      "GET /admin/v1/alerts",
      "GET /admin/v1/models",
      "GET /admin/v1/health",
      "GET /admin/v1/configuration",
      "GET /admin/v1/usage",
      "GET /admin/v1/timeseries",
      "GET /admin/v1/failures",
      "GET /admin/v1/requests",
      "GET /admin/v1/requests/{request}",
    ].toSorted(),
  );
  for (const [path, item] of Object.entries<Json>(paths))
    for (const { responses, summary } of Object.values<Json>(item)) {
      expect([path, Object.keys(responses)]).toEqual([path, [expect.stringMatching(/^20/), "4XX", "5XX"]]);
      expect(summary).toBeTruthy();
      for (const { description } of Object.values<Json>(responses))
        expect(description).not.toMatch(/^$|Default/);
    }
});

test("the API description is complete: path parameters are declared, and no schema is empty or has a $ref", async () => {
  const document = await fetchDescription();
  for (const [path, item] of Object.entries<Json>(document.paths))
    for (const { parameters = [] } of Object.values<Json>(item)) {
      const declared = parameters
        .filter((parameter: Json) => parameter.in === "path")
        .map((parameter: Json) => parameter.name);
      expect([path, declared]).toEqual([path, [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)]);
      expect(new Set(parameters.map((parameter: Json) => parameter.name)).size).toBe(parameters.length);
      for (const { schema } of parameters) expect(schema).toHaveProperty("type");
    }
  for (const part of listObjects(document)) {
    const lists = ["anyOf", "oneOf", "allOf", "enum", "required"].map((name) => part[name]);
    expect(lists.filter((list) => Array.isArray(list) && list.length === 0)).toEqual([]);
    expect(part).not.toHaveProperty("$ref");
  }
});

test("the API description states the fields and limits that the schemas check", async () => {
  const { paths } = await fetchDescription();
  for (const path of ["/healthz", "/readyz"]) expect(paths[path].get.security).toEqual([]);
  const body = paths["/admin/v1/keys"].post.requestBody.content["application/json"].schema;
  expect(body).toMatchObject({ required: ["name"], additionalProperties: false });
  expect(Object.keys(body.properties)).toEqual(
    expect.arrayContaining(["name", "role", "owner", "metadata", "models", "expires_at", "on_disconnect"]),
  );
  const query = (path: string): Json =>
    Object.fromEntries(paths[path].get.parameters.map(({ name, schema }: Json) => [name, schema]));
  expect(query("/admin/v1/keys")).toMatchObject({
    limit: { type: "integer", minimum: 1, maximum: 500, default: 100 },
    include_revoked: { enum: ["true", "false"] },
  });
  expect(Object.keys(query("/admin/v1/usage"))).toEqual(
    expect.arrayContaining(["by", "from", "to", "key", "model", "provider", "format"]),
  );
  const formats = paths["/admin/v1/requests"].get.responses["200"].content;
  expect(Object.keys(formats)).toEqual(["application/json", "application/x-ndjson", "text/csv"]);
  expect(paths["/admin/v1/keys/{key}/rotate"].post.requestBody.required).toBe(false);
  const messages = paths["/anthropic/v1/messages"].post;
  expect(messages.responses["4XX"].description).toContain("Anthropic");
  const chat = paths["/openai/v1/chat/completions"].post;
  expect([chat.parameters[0].name, chat.description]).toEqual([
    "dryRun",
    expect.stringContaining("https://openrouter.ai/docs/"),
  ]);
});

test("the documentation page loads all its files from the gateway, and forbids other sites to show it in a frame", async () => {
  const send = await start();
  const page = await send("/docs/");
  expect([page.status, page.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
  const policy = page.headers["content-security-policy"] ?? "";
  expect(policy).toContain("default-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/https?:|\*|unsafe-eval|script-src[^;]*unsafe/);
  const listLinks = (html: Buffer): string[] =>
    [...html.toString().matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = ""]) => link);
  const links = listLinks(page.body);
  expect(links.length).toBeGreaterThan(3);
  // Relative links also work below the prefix of a reverse proxy.
  for (const link of links) expect(link).toMatch(/^\.{1,2}\//);
  const resolve = (link: string, from: string): string => new URL(link, `http://gateway${from}`).pathname;
  const paths = links.map((link) => resolve(link, "/docs/"));
  const withoutSlash = await send("/docs?a=/");
  expect(listLinks(withoutSlash.body).map((link) => resolve(link, "/docs"))).toEqual(paths);
  for (const path of paths.filter((one) => one.startsWith("/docs/")))
    expect([path, (await send(path)).status]).toEqual([path, 200]);
});

test("the documentation page has the icon of the dashboard, and serves no image of another product", async () => {
  const send = await start();
  const icon = await send("/docs/static/icon.svg");
  expect(icon.headers["content-type"]).toBe("image/svg+xml");
  expect(icon.body.toString()).toBe(readFileSync("src/dashboard/page/favicon.svg", "utf8"));
  for (const name of ["logo.svg", "favicon-32x32.png", "index.html", "oauth2-redirect.html"])
    expect([name, (await send(`/docs/static/${name}`)).status]).toEqual([name, 404]);
});

test("each operation needs the kind of key of its URL, or none", async () => {
  const { paths, components } = await fetchDescription();
  expect(components.securitySchemes).toMatchObject({
    "Caller key": { type: "http", scheme: "bearer" },
    "Admin key": { type: "http", scheme: "bearer" },
  });
  for (const [path, item] of Object.entries<Json>(paths))
    for (const [method, { security }] of Object.entries<Json>(item)) {
      const kinds = security.flatMap((one: Json) => Object.keys(one));
      for (const name of kinds) expect(components.securitySchemes).toHaveProperty([name]);
      const kind = path.startsWith("/admin/") ? "Admin key" : "Caller key";
      const expected = PUBLIC.includes(`${method} ${path}`) ? undefined : kind;
      expect([path, kinds[0]]).toEqual([path, expected]);
    }
});

test("each operation belongs to one section, and each section has a description", async () => {
  const { paths, tags } = await fetchDescription();
  const names = tags.map(({ name }: Json) => name);
  for (const { description } of tags) expect(description).toMatch(/\.$/);
  for (const [path, item] of Object.entries<Json>(paths))
    for (const operation of Object.values<Json>(item)) {
      expect([path, operation.tags]).toEqual([path, [expect.any(String)]]);
      expect(names).toContain(operation.tags[0]);
      expect(operation.summary).toMatch(/^[A-Z].*[^.]$/s);
    }
});

test("the introduction lists the code of every error", async () => {
  const { info } = await fetchDescription();
  const codes = [
    ...readFileSync("docs/errors.md", "utf8").matchAll(/^\| \d+ \| `\w+` \| (.*?) \|/gm),
  ].flatMap(([, cell = ""]) => [...cell.matchAll(/`(\w+)`/g)].map(([, code = ""]) => code));
  expect(codes.length).toBeGreaterThan(30);
  for (const code of codes) expect(info.description).toContain(`\`${code}\``);
});

test("the documentation URLs return the same errors as all other URLs", async () => {
  const send = await start();
  const readError = async (path: string, method = "GET"): Promise<unknown[]> => {
    const response = await send(path, { method, headers: {} });
    return [response.status, JSON.parse(response.body.toString()).error.code, response.headers["allow"]];
  };
  expect(await readError("/docs/static/none.js")).toEqual([404, "unknown_url", undefined]);
  expect(await readError("/docs/static/..%2f..%2fpackage.json")).toEqual([404, "unknown_url", undefined]);
  expect(await readError("/docs/none")).toEqual([404, "unknown_url", undefined]);
  expect(await readError("/openapi.json", "POST")).toEqual([405, "method_not_allowed", "GET, HEAD"]);
  expect(await readError("/docs", "POST")).toEqual([405, "method_not_allowed", "GET"]);
});

test.each([
  "/docs/static/swagger-ui-bundle.js",
  "/docs/static/swagger-ui%2Dbundle.js",
  "/docs/static/%73wagger-ui-bundle.js",
  "/docs/st%61tic/swagger-ui-bundle.js",
  "/docs/static/swagger-ui-bundle.js/",
  "/docs/static/swagger-ui-bundle.js?a=1",
])("serves a file of the documentation page from memory, however its URL is encoded: %s", async (path) => {
  const response = await (await start())(path);
  expect([response.status, response.headers["cache-control"]]).toEqual([200, "public, max-age=3600"]);
  // @fastify/static would send this header with a file that it reads from disk.
  expect(response.headers["last-modified"]).toBeUndefined();
});
