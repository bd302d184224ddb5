import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { RedisStore } from "../../src/store/redis.ts";
import { startRedis } from "../support/redis.ts";
import { waitUntil } from "../support/wait.ts";

test("a renewal of many places does not take those again that are released meanwhile", async () => {
  const { url } = await startRedis();
  const store = new RedisStore(url, { timeoutMs: 2_000, onFailure: () => {}, onRecovery: () => {} });
  const client = new Redis(url);
  onTestFinished(() => {
    store.close();
    client.disconnect();
  });
  await waitUntil(() => store.isReachable(), "Redis to be connected");
  const limit = { key: "places", kind: "places", max: 5_000, windowMs: 40_000 } as const;
  const members = Array.from({ length: 3_000 }, (_, index) => `member ${index}`);
  await store.renew(limit, members);
  expect(await client.zcard(limit.key)).toBe(3_000);
  const renewed = store.renew(limit, members);
  await Promise.all(members.map(async (member) => store.end([limit], [], member)));
  await renewed;
  expect(await client.zcard(limit.key)).toBe(0);
});
