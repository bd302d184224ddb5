import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import type { UpstreamSink } from "../../src/upstream/call.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import { EndpointCatalog } from "../../src/upstream/endpoint-catalog.ts";
import type { Upstream } from "../../src/upstream/openrouter.ts";
import { createIdleCall } from "../support/upstream-call.ts";

const ENDPOINTS = [{ tag: "openai", pricing: { prompt: "0.000001" } }];

/** Creates a catalog over an upstream that responds when the test calls `respond`, with a clock that the test sets. */
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

test("concurrent calls share one fetch, and the catalog caches its list for five minutes", async () => {
  const { catalog, paths, respond, clock } = createCatalog();
  const both = [catalog.find("~a/b.c:free"), catalog.find("~a/b.c:free")];
  respond({ data: { endpoints: ENDPOINTS } });
  expect((await Promise.all(both)).map((list) => list?.endpoints)).toEqual([ENDPOINTS, ENDPOINTS]);
  clock.now = 299_999;
  expect((await catalog.find("~a/b.c:free"))?.endpoints).toEqual(ENDPOINTS);
  expect(paths).toEqual(["/models/~a/b.c:free/endpoints"]);
});

test("never serves a list that is five minutes old, because its prices may be too low", async () => {
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
  "finds no endpoints in a response with %s, and fetches the list again after 10 s",
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

test("finds no endpoints when upstream fails", async () => {
  const { catalog, sinks } = createCatalog();
  const found = catalog.find("a/b");
  sinks.at(-1)?.onFailure(new GatewayError("upstream_error", "It failed."));
  expect(await found).toBeUndefined();
});

test.each([["a"], ["a/b/c"], ["../b"], ["a/.."], ["a/b?x"], ["a/b#x"], ["a /b"], ["a/%2e%2e"]])(
  "does not request the id %s, which could change the path",
  async (id) => {
    const { catalog, paths } = createCatalog();
    expect(await catalog.find(id)).toBeUndefined();
    expect(paths).toEqual([]);
  },
);

test("caches the lists of 1,000 models", async () => {
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
