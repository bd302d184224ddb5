import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import type { UpstreamSink } from "../../src/upstream/call.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import { EndpointCatalog } from "../../src/upstream/endpoint-catalog.ts";
import type { Upstream } from "../../src/upstream/openrouter.ts";
import { createIdleCall } from "../support/upstream-call.ts";
import { waitUntil } from "../support/wait.ts";

const ENDPOINTS = [{ tag: "openai", pricing: { prompt: "0.000001" } }];

/** Creates a catalog whose clock the test sets. Its upstream responds when the test calls `respond`. */
function createCatalog() {
  const call = createIdleCall({});
  const sinks: UpstreamSink[] = [];
  const paths: string[] = [];
  const upstream: Upstream = {
    send: ({ path }, sink) => {
      paths.push(path);
      sinks.push(sink);
      return call;
    },
    close: () => Promise.resolve(),
  };
  const clock = { now: 0 };
  const respond = (body: unknown, status = 200): void => {
    const sink = sinks.at(-1);
    sink?.onHead(readResponseHead(status, {}));
    sink?.onData(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)));
    sink?.onEnd();
  };
  return { sinks, paths, clock, respond, catalog: new EndpointCatalog(upstream, undefined, () => clock.now) };
}

test("concurrent calls share one fetch, and the catalog does not fetch the list again for 150 s", async () => {
  const { catalog, paths, respond, clock } = createCatalog();
  const both = [catalog.find("~a/b.c:free"), catalog.find("~a/b.c:free")];
  respond({ data: { endpoints: ENDPOINTS } });
  expect((await Promise.all(both)).map((list) => list?.endpoints)).toEqual([ENDPOINTS, ENDPOINTS]);
  clock.now = 149_999;
  expect((await catalog.find("~a/b.c:free"))?.endpoints).toEqual(ENDPOINTS);
  expect(paths).toEqual(["/models/~a/b.c:free/endpoints"]);
});

test("the catalog serves a list for five minutes, and from 150 s on fetches it again in the background", async () => {
  const { catalog, paths, respond, clock } = createCatalog();
  const first = catalog.find("a/b");
  respond({ data: { endpoints: ENDPOINTS } });
  await first;
  clock.now = 150_000;
  expect(catalog.peek("a/b")?.list?.endpoints).toEqual(ENDPOINTS);
  expect((await catalog.find("a/b"))?.endpoints).toEqual(ENDPOINTS);
  expect(paths).toHaveLength(2);
  // The fetch fails, and is repeated after 10 s.
  respond({}, 500);
  clock.now = 159_999;
  expect((await catalog.find("a/b"))?.endpoints).toEqual(ENDPOINTS);
  expect(paths).toHaveLength(2);
  clock.now = 299_999;
  expect((await catalog.find("a/b"))?.endpoints).toEqual(ENDPOINTS);
  expect(paths).toHaveLength(3);
  respond({ data: { endpoints: [] } });
  await waitUntil(() => catalog.peek("a/b")?.list?.endpoints.length === 0 || undefined, "the new list");
  clock.now = 449_998;
  expect((await catalog.find("a/b"))?.endpoints).toEqual([]);
  expect(paths).toHaveLength(3);
});

test("peek returns nothing before the first fetch, and the failure of a fetch for 10 s", async () => {
  const { catalog, respond, clock } = createCatalog();
  expect(catalog.peek("a/b")).toBeUndefined();
  const found = catalog.find("a/b");
  expect(catalog.peek("a/b")).toBeUndefined();
  respond({}, 404);
  await found;
  expect(catalog.peek("a/b")).toMatchObject({ list: undefined });
  clock.now = 10_000;
  expect(catalog.peek("a/b")).toBeUndefined();
});

test("the catalog never serves a list that is five minutes old, because the prices of an old list may be too low", async () => {
  const { catalog, paths, respond, clock } = createCatalog();
  const first = catalog.find("a/b");
  respond({ data: { endpoints: ENDPOINTS } });
  await first;
  clock.now = 300_000;
  const second = catalog.find("a/b");
  respond({}, 500);
  expect(await second).toBeUndefined();
  expect(paths).toHaveLength(2);
});

test.each([
  ["status 404", {}, 404],
  ["no JSON", "<html>", 200],
  ["no list", { data: { endpoints: {} } }, 200],
  ["no data", {}, 200],
  ["endpoints that are not objects", { data: { endpoints: [1] } }, 200],
])(
  "the catalog finds no endpoints in a response with %s, and fetches the list again after 10 s",
  async (_, body, status) => {
    const { catalog, paths, respond, clock } = createCatalog();
    const found = catalog.find("a/b");
    respond(body, status);
    expect(await found).toBeUndefined();
    clock.now = 9_999;
    expect(await catalog.find("a/b")).toBeUndefined();
    expect(paths).toHaveLength(1);
    clock.now = 10_000;
    const again = catalog.find("a/b");
    respond({ data: { endpoints: [] } });
    expect((await again)?.endpoints).toEqual([]);
  },
);

test("the catalog finds no endpoints when upstream fails", async () => {
  const { catalog, sinks } = createCatalog();
  const found = catalog.find("a/b");
  sinks.at(-1)?.onFailure(new GatewayError("upstream_error", "It failed."));
  expect(await found).toBeUndefined();
});

test.each([["a"], ["a/b/c"], ["../b"], ["a/.."], ["a/b?x"], ["a/b#x"], ["a /b"], ["a/%2e%2e"]])(
  "the catalog does not request the id %s, because this id could change the path of the request",
  async (id) => {
    const { catalog, paths } = createCatalog();
    expect(await catalog.find(id)).toBeUndefined();
    expect(paths).toEqual([]);
  },
);

test("the catalog caches the lists of the last 1,000 models", async () => {
  const { catalog, paths, respond } = createCatalog();
  for (let index = 0; index <= 1_000; index++) {
    const found = catalog.find(`a/${index}`);
    respond({ data: { endpoints: [] } });
    await found;
  }
  await catalog.find("a/1000");
  expect(paths).toHaveLength(1_001);
  const oldest = catalog.find("a/0");
  respond({ data: { endpoints: [] } });
  await oldest;
  expect(paths).toHaveLength(1_002);
});
