import { expect, test } from "vitest";
import { createBudgetedKey } from "../support/budgeted-key.ts";
import { expectWithinLimit, LIMIT_USD, startCrowd, waitUntilBooked } from "../support/crowd.ts";

/** Different names of end users, and values that are none. */
const SPELLINGS: readonly unknown[] = [
  "bob",
  "Bob",
  " bob",
  "bob ",
  "b\u200bob",
  "bo\u0000b",
  "\ud800bob",
  "ｂｏｂ",
  `bob${"b".repeat(500)}`,
  "key:day,group:month",
  "../../bob",
  "' or 1=1 --",
  "",
  null,
];

test("an end user with odd names cannot exceed the budget of the key", async () => {
  const crowd = await startCrowd();
  const key = await createBudgetedKey(crowd.gateway, LIMIT_USD, {
    end_users: { source: "user", budgets: { day: { limit_usd: 0.003 }, total: { limit_usd: 1 } } },
  });
  const { secret } = key;
  const requests = Array.from({ length: 300 }, (_, index) => ({
    secret,
    fields: { user: SPELLINGS[index % SPELLINGS.length] },
  }));
  expectWithinLimit(crowd, await crowd.send(requests));
  // A scope that differs between admission and settlement would leave money reserved.
  expect((await key.waitUntilSettled()).spent).toBe(crowd.upstream.billed);
});

test("1,000 invented end users cannot exceed the budget of the key, nor keep other keys from theirs", async () => {
  const crowd = await startCrowd();
  const { gateway, send } = crowd;
  const key = await createBudgetedKey(gateway, LIMIT_USD, {
    end_users: { source: "header:x-end-user", budgets: { day: { limit_usd: 0.01 } } },
  });
  const requests = Array.from({ length: 1_000 }, (_, index) => ({
    secret: key.secret,
    headers: { "x-end-user": `invented-${index}` },
  }));
  expectWithinLimit(crowd, await send(requests));
  const other = await createBudgetedKey(gateway, 1, { name: "other" });
  expect([...(await send([other])).keys()]).toEqual([200]);
  await waitUntilBooked(crowd, async () => (await key.readBudget()).spent + (await other.readBudget()).spent);
});

test("ids, sessions and names that a client repeats do not merge its requests", async () => {
  const crowd = await startCrowd();
  const key = await createBudgetedKey(crowd.gateway, LIMIT_USD);
  const headers = {
    "x-request-id": "same",
    "x-client-request-id": "same",
    "idempotency-key": "same",
    "session-id": "same",
    "x-claude-code-session-id": "same",
    "x-generation-id": "gen-1760000000-same",
  };
  const request = { secret: key.secret, fields: { user: "same", session_id: "same" }, headers };
  const statuses = await crowd.send(Array.from({ length: 200 }, () => request));
  expectWithinLimit(crowd, statuses);
  expect(statuses.get(402) ?? statuses.get(429)).toBeGreaterThan(100);
  await waitUntilBooked(crowd, async () => (await key.readBudget()).spent);
});

test("an end user of the wrong type is refused, or counts for the key", async () => {
  const crowd = await startCrowd();
  const key = await createBudgetedKey(crowd.gateway, LIMIT_USD, {
    end_users: { source: "user", budgets: { day: { limit_usd: 0.003 } } },
  });
  const users = [1, true, {}, [], [["bob"]]];
  const statuses = await crowd.send(users.map((user) => ({ secret: key.secret, fields: { user } })));
  expect([...statuses.keys()].every((status) => status === 200 || status === 400)).toBe(true);
  await waitUntilBooked(crowd, async () => (await key.readBudget()).spent);
});
