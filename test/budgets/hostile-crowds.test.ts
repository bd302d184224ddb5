import { expect, test } from "vitest";
import { createBudgetedKey, readBudget } from "../support/budgeted-key.ts";
import {
  BEHAVIOUR,
  buildCrowdBody,
  countStatuses,
  expectWithinLimit,
  LIMIT_USD,
  PATH,
  startCrowd,
  waitUntilBooked,
} from "../support/crowd.ts";
import { RawClient } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait.ts";

/** Sends requests over one connection without waiting for responses. @returns the statuses of all responses. */
async function pipeline(port: number, secret: string, count: number): Promise<number[]> {
  const body = buildCrowdBody();
  const lines = [
    `POST ${PATH} HTTP/1.1`,
    "host: gateway",
    "content-type: application/json",
    `authorization: Bearer ${secret}`,
    `x-session-id: ${BEHAVIOUR}`,
    `content-length: ${body.length}`,
  ];
  const client = new RawClient(port);
  client.send(`${lines.join("\r\n")}\r\n\r\n${body}`.repeat(count));
  const read = (): number[] =>
    (client.received.toString().match(/HTTP\/1\.1 \d{3}/g) ?? []).map((line) => Number(line.slice(-3)));
  await waitUntil(() => read().length === count || client.isClosed, "the responses", 25_000);
  return read();
}

test("requests that are pipelined on one connection cannot exceed a budget", async () => {
  const crowd = await startCrowd();
  const key = await createBudgetedKey(crowd.gateway, LIMIT_USD);
  expectWithinLimit(crowd, countStatuses(await pipeline(crowd.gateway.port, key.secret, 60)));
  await waitUntilBooked(crowd, async () => (await key.readBudget()).spent);
  // The gateway destroys a connection with more than 64 requests in flight.
  await pipeline(crowd.gateway.port, key.secret, 100);
  await waitUntilBooked(crowd, async () => (await key.readBudget()).spent);
  expect(crowd.upstream.billed).toBeLessThanOrEqual(28_000_000);
});

test("1,000 connections with one request each cannot exceed a budget", async () => {
  const crowd = await startCrowd();
  const key = await createBudgetedKey(crowd.gateway, LIMIT_USD);
  const statuses = await crowd.send(Array.from({ length: 1_000 }, () => key));
  expectWithinLimit(crowd, statuses);
  expect(statuses.get(200)).toBeGreaterThanOrEqual(16);
  expect((await key.waitUntilSettled()).spent).toBe(crowd.upstream.billed);
});

test("two keys of a group cannot exceed the budget of the group", async () => {
  const crowd = await startCrowd();
  const { gateway, send } = crowd;
  const group = { name: "team", limits: { budgets: { day: { limit_usd: LIMIT_USD } } } };
  expect((await gateway.callAdmin("POST", "/groups", group)).status).toBe(201);
  const a = await createBudgetedKey(gateway, 1, { name: "a", group: "team" });
  const b = await createBudgetedKey(gateway, 1, { name: "b", group: "team" });
  expectWithinLimit(crowd, await send(Array.from({ length: 300 }, (_, index) => (index % 2 === 0 ? a : b))));
  await waitUntilBooked(crowd, async () => (await readBudget(gateway, "/groups/team")).spent);
});
