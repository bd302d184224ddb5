import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { formatPath, KNOWN_ENDPOINTS } from "../../src/endpoints/known-endpoints.ts";
import { type TestRequest, sendRequest } from "../support/send-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import type { RawResponse } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait.ts";

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
  const { paths, components, security } = await fetchDescription();
  expect(components.securitySchemes.key).toEqual({ type: "http", scheme: "bearer" });
  expect(security).toEqual([{ key: [] }]);
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

test("every operation succeeds with the example values that the documentation page fills in", async () => {
  const simulator = await startSimulator({ generationDelayMs: 0 });
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const { port, admin, caller } = gateway;
  // `/credits` needs a key with a budget.
  const limits = { budgets: { total: { limit_usd: 1_000, mode: "soft" } } };
  expect((await gateway.callAdmin("PATCH", "/keys/first-caller", { limits })).status).toBe(200);
  let generationId = "";
  const { paths } = JSON.parse(
    (await sendRequest(port, { method: "GET", path: "/openapi.json", body: "" })).body.toString(),
  );
  const operations = Object.entries<Json>(paths).flatMap(([path, item]) =>
    Object.entries<Json>(item).map(([method, operation]) => ({ path, method, operation })),
  );
  // Runs the operations in the order that a person would use: the key is created first and revoked last.
  const order = ["post", "get", "patch", "delete"];
  operations.sort((a, b) => order.indexOf(a.method) - order.indexOf(b.method));
  for (const { path, method, operation } of operations) {
    const parameters: Json[] = operation.parameters ?? [];
    // Swagger UI sends only values that match their patterns, and ignores the flags of regular expressions.
    for (const { schema, example = "Bob" } of parameters.filter((one) => one.schema.pattern))
      expect(example).toMatch(new RegExp(schema.pattern));
    const url = parameters
      .filter((parameter) => parameter.in === "path")
      .reduce((text, { name, example }) => text.replace(`{${name}}`, encodeURIComponent(example)), path);
    const query = parameters
      .filter((parameter) => parameter.in === "query" && parameter.schema.default !== undefined)
      .map(({ name, schema }) => `${name}=${encodeURIComponent(schema.default)}`);
    if (path.endsWith("/generation")) query.push(`id=${generationId}`);
    const example = operation.requestBody?.content["application/json"].example;
    const send = () =>
      sendRequest(port, {
        method: method.toUpperCase(),
        path: [url, ...(query.length > 0 ? [query.join("&")] : [])].join("?"),
        headers: { authorization: `Bearer ${path.startsWith("/admin/") ? admin : caller}` },
        body: example === undefined ? "" : JSON.stringify(example),
      });
    // The ledger knows a request and its generation a moment after the request has ended.
    const response = /[/]generation$|[/]requests[/]/.test(path)
      ? await waitUntil(async () => {
          const found = await send();
          return found.status === 200 ? found : undefined;
        }, "the row of the request")
      : await send();
    if (path.endsWith("/chat/completions")) generationId = response.headers["x-generation-id"] ?? "";
    expect([method, path, response.status]).toEqual([
      method,
      path,
      /^\/admin\/v1\/(?:keys|groups)$/.test(path) && method === "post" ? 201 : 200,
    ]);
  }
});

test("the documentation page loads all its files from the gateway, and forbids other sites to show it in a frame", async () => {
  const send = await start();
  const page = await send("/docs/");
  expect([page.status, page.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
  const policy = page.headers["content-security-policy"] ?? "";
  expect(policy).toContain("default-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/https?:|\*|unsafe-eval|script-src[^;]*unsafe/);
  const files = [...page.body.toString().matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file ?? "");
  expect(files.length).toBeGreaterThan(3);
  for (const file of files) {
    expect(file).toMatch(/^\.\//);
    expect([file, (await send(`/docs/${file.slice(2)}`)).status]).toEqual([file, 200]);
  }
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
