import { expect, test } from "vitest";
import { startFakeRedis } from "../support/fake-redis.ts";
import { createLimitedKey } from "../support/limited-app.ts";
import { startLimitedGateway } from "../support/limited-gateway.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const NOW = 1_790_000_000_000;
const array = (...values: (number | string)[]): string =>
  `*${values.length}\r\n${values.map((value) => (typeof value === "number" ? `:${value}\r\n` : value)).join("")}`;

/** Starts a gateway with a key that may send two requests per minute, and a fake Redis that sends this reply to scripts. */
async function startWithReply(reply: string) {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
  const redis = await startFakeRedis({ EVAL: reply });
  const keys = [createLimitedKey("a", { requestsPerMinute: 2, maxInFlight: 5 })];
  const gateway = await startLimitedGateway(upstream.baseUrl, keys, { REDIS_URL: redis.url });
  await waitUntil(() => gateway.isReady(), "Redis to be connected");
  return { gateway, redis };
}

test.each([
  ["nil", "$-1\r\n"],
  ["a count", ":1\r\n"],
  ["an empty array", "*0\r\n"],
  ["too few numbers", array(1, 1, 60_000, NOW)],
  ["too many numbers", array(1, 1, 60_000, NOW, 1, 40_000, NOW, 1)],
  ["neither admission nor refusal", array(2, 1, 60_000, NOW, 1, 40_000, NOW)],
  ["an admission above the limit", array(1, 3, 60_000, NOW, 1, 40_000, NOW)],
  ["a refusal below the limit", array(0, 1, 60_000, NOW, 1, 40_000, NOW)],
  ["a negative count", array(1, -1, 60_000, NOW, 1, 40_000, NOW)],
  ["a time beyond the window", array(1, 1, 60_001, NOW, 1, 40_000, NOW)],
  ["a negative time", array(1, 1, -1, NOW, 1, 40_000, NOW)],
  ["a negative start", array(1, 1, 60_000, -1, 1, 40_000, NOW)],
  ["nils in an array", array(1, "$-1\r\n", 60_000, NOW, 1, 40_000, NOW)],
  ["texts in an array", array(1, "$1\r\n1\r\n", 60_000, NOW, 1, 40_000, NOW)],
  ["an error", "-WRONGTYPE hunter2\r\n"],
])("the gateway decides in its own memory if Redis replies with %s", async (_, reply) => {
  const { gateway } = await startWithReply(reply);
  const responses = [];
  for (let sent = 0; sent < 3; sent++) responses.push(await gateway.call("a"));
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 429]);
  const warnings = gateway.logs.filter(({ msg }) => String(msg).startsWith("redis"));
  expect(warnings.map(({ msg }) => msg)).toEqual(["redis: unavailable, counting in this process"]);
  expect(JSON.stringify(gateway.logs)).not.toContain("hunter2");
});

test("the gateway uses a valid decision of Redis, and continues from its counts", async () => {
  const { gateway, redis } = await startWithReply(array(0, 2, 1_500, NOW, 0, 40_000, NOW));
  const refused = await gateway.call("a");
  expect(refused.status).toBe(429);
  expect(refused.headers).toMatchObject({ "retry-after": "2", "retry-after-ms": "1500" });
  const command = redis.commands.find(([name]) => name === "EVAL");
  const keys = ["sluice:rate:minute:key:key_a", "sluice:in-flight:key:key_a"];
  expect(command?.slice(2)).toEqual([
    "2",
    ...keys,
    expect.any(String),
    "1",
    "2",
    "60000",
    "-1",
    "5",
    "40000",
  ]);
});
