import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { CatalogCache } from "../../src/upstream/catalog-cache.ts";
import { LimitedFetch } from "../../src/upstream/limited-fetch.ts";
import { connectUpstream } from "../../src/upstream/openrouter.ts";
import { formatResponse, type Script, startScriptedUpstream } from "../support/scripted-upstream.ts";

/** Starts a cache in front of an upstream that responds as the script does. */
async function startCache(script: Script) {
  const scripted = await startScriptedUpstream(script);
  const { upstream: config } = loadConfig({ OPENROUTER_BASE_URL: scripted.baseUrl });
  const upstream = connectUpstream(config);
  onTestFinished(() => upstream.close());
  const clock = { now: 0 };
  const cache = new CatalogCache(new LimitedFetch(upstream), () => clock.now);
  const read = async (path: string, scope = "account") =>
    (await cache.get({ path, scope, authorization: "Bearer a", callerId: "me" })).body.toString(
      "latin1",
      0,
      20,
    );
  return { read, clock, seen: scripted.seen };
}

const startNumberedCache = (pad = 0) => {
  let sent = 0;
  return startCache((socket) => socket.write(formatResponse(200, {}, `${++sent}${" ".repeat(pad)}`)));
};

test("serves a response for a minute, and then fetches it again", async () => {
  const { read, clock } = await startNumberedCache();
  expect([await read("/a"), await read("/a"), await read("/b")]).toEqual(["1", "1", "2"]);
  clock.now = 59_999;
  expect(await read("/a")).toBe("1");
  clock.now = 60_000;
  expect([await read("/a"), await read("/a")]).toEqual(["3", "3"]);
});

test("scopes share no responses", async () => {
  const { read } = await startNumberedCache();
  expect([await read("/a", "x"), await read("/a", "y"), await read("/a", "x")]).toEqual(["1", "2", "1"]);
});

test("evicts the least recently used responses when together they have more than 16 MiB", async () => {
  const { read, seen } = await startNumberedCache(6_000_000);
  for (const path of ["/a", "/b", "/a", "/c"]) await read(path);
  expect(seen.length).toBe(3);
  await read("/a");
  expect(seen.length).toBe(3);
  await read("/b");
  expect(seen.length).toBe(4);
});

test("refuses a response over 8 MiB, and does not cache failures", async () => {
  let sent = 0;
  const { read } = await startCache((socket) => {
    if (++sent === 2) socket.destroy();
    else socket.write(formatResponse(200, {}, sent === 1 ? " ".repeat(8_388_609) : "ok"));
  });
  await expect(read("/a")).rejects.toMatchObject({ code: "upstream_error" });
  await expect(read("/a")).rejects.toMatchObject({ code: "upstream_disconnected" });
  expect(await read("/a")).toBe("ok");
});
