import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { ModelCatalog } from "../../src/upstream/model-catalog.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import type { UpstreamSink } from "../../src/upstream/call.ts";
import type { Upstream } from "../../src/upstream/openrouter.ts";
import { createIdleCall } from "../support/upstream-call.ts";

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
  const respond = (data: object[], status = 200): void => {
    const sink = sinks.at(-1);
    sink?.onHead(readResponseHead(status, {}));
    sink?.onData(Buffer.from(JSON.stringify({ data })));
    sink?.onEnd();
  };
  return {
    sinks,
    paths,
    clock,
    respond,
    catalog: new ModelCatalog(upstream, undefined, { now: () => clock.now }),
  };
}

test("concurrent requests share one fetch", async () => {
  const { catalog, sinks, respond } = createCatalog();
  const lists = [catalog.list(), catalog.list(), catalog.list()];
  respond([{ id: "a/b" }]);
  expect(new Set(await Promise.all(lists)).size).toBe(1);
  expect(sinks.length).toBe(1);
});

test("serves a stale list once more while it fetches a new one", async () => {
  const { catalog, sinks, clock, respond } = createCatalog();
  const first = catalog.list();
  respond([{ id: "a/old" }]);
  const list = await first;
  clock.now = 299_000;
  expect(await catalog.list()).toBe(list);
  expect(sinks.length).toBe(1);
  clock.now = 301_000;
  expect(await catalog.list()).toBe(list);
  expect(sinks.length).toBe(2);
  respond([{ id: "a/new" }]);
  await expect.poll(() => catalog.find("a/new")).toBeDefined();
});

test("serves the previous list while upstream fails, and waits before the next attempt", async () => {
  const { catalog, sinks, clock, respond } = createCatalog();
  const first = catalog.list();
  respond([{ id: "a/b" }]);
  const list = await first;
  clock.now = 301_000;
  expect(await catalog.list()).toBe(list);
  sinks.at(-1)?.onFailure(new GatewayError("upstream_unreachable", "gone"));
  expect(await catalog.list()).toBe(list);
  await setImmediate();
  expect(await catalog.list()).toBe(list);
  expect(sinks.length).toBe(2);
  clock.now = 312_000;
  await catalog.list();
  expect(sinks.length).toBe(3);
});

test("times out all requests that wait for one list after 10 s, and fetches a new list for the next request", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { catalog, sinks, respond } = createCatalog();
  const failures = [catalog.list(), catalog.find("a/b"), catalog.listFiltered("q=a")].map((promise) =>
    promise.catch((error: unknown) => (error as GatewayError).code),
  );
  // A head and a part of the body do not extend the timeout.
  sinks[0]?.onHead(readResponseHead(200, {}));
  sinks[0]?.onData(Buffer.from('{"data":['));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await Promise.all(failures)).toEqual(["upstream_timeout", "upstream_timeout", "upstream_timeout"]);
  expect(sinks.length).toBe(2);
  const found = catalog.find("a/b");
  respond([{ id: "a/b" }]);
  expect(await found).toMatchObject({ id: "a/b" });
});

test("caches one list per filter, shares it between concurrent calls, and serves it when upstream fails", async () => {
  const { catalog, sinks, paths, clock, respond } = createCatalog();
  const unfiltered = catalog.list();
  respond([{ id: "a/b" }]);
  const lists = [catalog.listFiltered("zdr=true"), catalog.listFiltered("zdr=true")];
  respond([{ id: "a/private" }]);
  const [first, second] = await Promise.all(lists);
  expect(first).toBe(second);
  expect(first?.entries.map(({ id }) => id)).toEqual(["a/private"]);
  expect((await unfiltered).entries.map(({ id }) => id)).toEqual(["a/b"]);
  expect(paths).toEqual(["/models", "/models?zdr=true"]);
  clock.now = 301_000;
  expect(await catalog.listFiltered("zdr=true")).toBe(first);
  sinks.at(-1)?.onFailure(new GatewayError("upstream_unreachable", "gone"));
  expect(await catalog.listFiltered("zdr=true")).toBe(first);
  expect(sinks.length).toBe(3);
});

test("a filtered list adds no model to the catalog of dry runs and look-ups", async () => {
  const { catalog, respond } = createCatalog();
  const unfiltered = catalog.list();
  respond([{ id: "a/b" }]);
  await unfiltered;
  const filtered = catalog.listFiltered("output_modalities=image");
  respond([{ id: "a/image" }]);
  await filtered;
  expect([...(await catalog.list()).byId.keys()]).toEqual(["a/b"]);
  expect(await catalog.find("a/image")).toBeUndefined();
});

test("caches the 50 most recently used filters, and no filter that failed", async () => {
  const { catalog, paths, respond } = createCatalog();
  const use = async (filter: string, status = 200): Promise<void> => {
    const before = paths.length;
    const list = catalog.listFiltered(filter);
    if (paths.length > before) respond([{ id: "a/b" }], status);
    await list.catch(() => {});
  };
  for (let index = 0; index < 50; index++) await use(`q=${index}`);
  await use("q=0");
  for (let index = 0; index < 60; index++) await use(`q=failed${index}`, 500);
  await use("q=50");
  const before = paths.length;
  await use("q=0");
  await use("q=2");
  expect(paths.length).toBe(before);
  await use("q=1");
  expect(paths.slice(before)).toEqual(["/models?q=1"]);
});

test("evicts the least recently used filtered list when all of them together exceed 32 MiB", async () => {
  const { catalog, paths, respond } = createCatalog();
  const use = async (filter: string): Promise<void> => {
    const before = paths.length;
    const list = catalog.listFiltered(filter);
    if (paths.length > before) respond([{ id: "a/b", description: "x".repeat(12_000_000) }]);
    await list;
  };
  for (const filter of ["q=1", "q=2", "q=3", "q=3", "q=2"]) await use(filter);
  expect(paths.length).toBe(3);
  await use("q=1");
  expect(paths.length).toBe(4);
});

test("rejects a ninth concurrent filter as overloaded until one of the eight others completes", async () => {
  const { catalog, sinks, respond } = createCatalog();
  const lists = Array.from({ length: 8 }, (_, index) => catalog.listFiltered(`q=${index}`));
  await expect(catalog.listFiltered("q=8")).rejects.toMatchObject({ code: "overloaded" });
  expect(sinks.length).toBe(8);
  respond([{ id: "a/b" }]);
  await lists[7];
  const next = catalog.listFiltered("q=8");
  respond([{ id: "a/c" }]);
  expect((await next).entries.map(({ id }) => id)).toEqual(["a/c"]);
  for (const list of lists.slice(0, 7)) void list.catch(() => {});
});

test.each([400, 422])("returns invalid_value for a filter that upstream rejects with %i", async (status) => {
  const { catalog, respond } = createCatalog();
  const filtered = catalog.listFiltered("sort=x");
  respond([], status);
  await expect(filtered).rejects.toMatchObject({ code: "invalid_value", param: "sort" });
  const combined = catalog.listFiltered("q=y&sort=x");
  respond([], status);
  await expect(combined).rejects.toMatchObject({ code: "invalid_value", param: null });
  const unfiltered = catalog.list();
  respond([], status);
  await expect(unfiltered).rejects.toMatchObject({ code: "upstream_error" });
});
