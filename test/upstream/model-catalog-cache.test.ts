import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { ModelCatalog } from "../../src/upstream/model-catalog.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import type { UpstreamSink } from "../../src/upstream/call.ts";
import type { Upstream } from "../../src/upstream/openrouter.ts";
import { createIdleCall } from "../support/upstream-call.ts";

/** An upstream whose answers come when the test says so, on a clock the test sets. */
function controlled() {
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
  const answer = (data: object[], status = 200): void => {
    const sink = sinks.at(-1);
    sink?.onHead(readResponseHead(status, {}));
    sink?.onData(Buffer.from(JSON.stringify({ data })));
    sink?.onEnd();
  };
  return {
    sinks,
    paths,
    clock,
    answer,
    catalog: new ModelCatalog(upstream, undefined, { now: () => clock.now }),
  };
}

test("requests that come together share one fetch", async () => {
  const { catalog, sinks, answer } = controlled();
  const lists = [catalog.list(), catalog.list(), catalog.list()];
  answer([{ id: "a/b" }]);
  expect(new Set(await Promise.all(lists)).size).toBe(1);
  expect(sinks.length).toBe(1);
});

test("a list is served until it is old, then once more while a new one is fetched", async () => {
  const { catalog, sinks, clock, answer } = controlled();
  const first = catalog.list();
  answer([{ id: "a/old" }]);
  const list = await first;
  clock.now = 299_000;
  expect(await catalog.list()).toBe(list);
  expect(sinks.length).toBe(1);
  clock.now = 301_000;
  expect(await catalog.list()).toBe(list);
  expect(sinks.length).toBe(2);
  answer([{ id: "a/new" }]);
  await expect.poll(() => catalog.find("a/new")).toBeDefined();
});

test("the list of before is served while upstream fails, and upstream is not asked again at once", async () => {
  const { catalog, sinks, clock, answer } = controlled();
  const first = catalog.list();
  answer([{ id: "a/b" }]);
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

test("a list that upstream does not answer fails after 10 s for everybody who waits, and is fetched anew", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { catalog, sinks, answer } = controlled();
  const failures = [catalog.list(), catalog.find("a/b"), catalog.listFiltered("q=a")].map((promise) =>
    promise.catch((error: unknown) => (error as GatewayError).code),
  );
  // A head and some of the body make no difference.
  sinks[0]?.onHead(readResponseHead(200, {}));
  sinks[0]?.onData(Buffer.from('{"data":['));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await Promise.all(failures)).toEqual(["upstream_timeout", "upstream_timeout", "upstream_timeout"]);
  expect(sinks.length).toBe(2);
  const found = catalog.find("a/b");
  answer([{ id: "a/b" }]);
  expect(await found).toMatchObject({ id: "a/b" });
});

test("each filter has a list of its own, which concurrent callers share and which outlives upstream's failures", async () => {
  const { catalog, sinks, paths, clock, answer } = controlled();
  const whole = catalog.list();
  answer([{ id: "a/b" }]);
  const lists = [catalog.listFiltered("zdr=true"), catalog.listFiltered("zdr=true")];
  answer([{ id: "a/private" }]);
  const [first, second] = await Promise.all(lists);
  expect(first).toBe(second);
  expect(first?.entries.map(({ id }) => id)).toEqual(["a/private"]);
  expect((await whole).entries.map(({ id }) => id)).toEqual(["a/b"]);
  expect(paths).toEqual(["/models", "/models?zdr=true"]);
  clock.now = 301_000;
  expect(await catalog.listFiltered("zdr=true")).toBe(first);
  sinks.at(-1)?.onFailure(new GatewayError("upstream_unreachable", "gone"));
  expect(await catalog.listFiltered("zdr=true")).toBe(first);
  expect(sinks.length).toBe(3);
});

test("a filtered list adds no model to those that dry runs and look-ups know", async () => {
  const { catalog, answer } = controlled();
  const whole = catalog.list();
  answer([{ id: "a/b" }]);
  await whole;
  const filtered = catalog.listFiltered("output_modalities=image");
  answer([{ id: "a/image" }]);
  await filtered;
  expect([...(await catalog.list()).byId.keys()]).toEqual(["a/b"]);
  expect(await catalog.find("a/image")).toBeUndefined();
});

test("the 50 filters used last are kept, and a filter that failed takes no place", async () => {
  const { catalog, paths, answer } = controlled();
  const use = async (filter: string, status = 200): Promise<void> => {
    const before = paths.length;
    const list = catalog.listFiltered(filter);
    if (paths.length > before) answer([{ id: "a/b" }], status);
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

test("filtered lists over 32 MiB together make room for the one used last", async () => {
  const { catalog, paths, answer } = controlled();
  const use = async (filter: string): Promise<void> => {
    const before = paths.length;
    const list = catalog.listFiltered(filter);
    if (paths.length > before) answer([{ id: "a/b", description: "x".repeat(12_000_000) }]);
    await list;
  };
  for (const filter of ["q=1", "q=2", "q=3", "q=3", "q=2"]) await use(filter);
  expect(paths.length).toBe(3);
  await use("q=1");
  expect(paths.length).toBe(4);
});

test("more than eight filters at once are overloaded until one of them is answered", async () => {
  const { catalog, sinks, answer } = controlled();
  const lists = Array.from({ length: 8 }, (_, index) => catalog.listFiltered(`q=${index}`));
  await expect(catalog.listFiltered("q=8")).rejects.toMatchObject({ code: "overloaded" });
  expect(sinks.length).toBe(8);
  answer([{ id: "a/b" }]);
  await lists[7];
  const next = catalog.listFiltered("q=8");
  answer([{ id: "a/c" }]);
  expect((await next).entries.map(({ id }) => id)).toEqual(["a/c"]);
  for (const list of lists.slice(0, 7)) void list.catch(() => {});
});

test.each([400, 422])("a filter that upstream refuses with %i is the caller's to correct", async (status) => {
  const { catalog, answer } = controlled();
  const one = catalog.listFiltered("sort=x");
  answer([], status);
  await expect(one).rejects.toMatchObject({ code: "invalid_value", param: "sort" });
  const two = catalog.listFiltered("q=y&sort=x");
  answer([], status);
  await expect(two).rejects.toMatchObject({ code: "invalid_value", param: null });
  const whole = catalog.list();
  answer([], status);
  await expect(whole).rejects.toMatchObject({ code: "upstream_error" });
});
