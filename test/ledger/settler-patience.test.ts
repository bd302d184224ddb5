import { expect, test } from "vitest";
import { writeRequests } from "../../src/store/request-writes.ts";
import { DAY_MS, hurry, pending, RECORD, rowOf, startSettler } from "./settling.ts";

test("a record that is not there is asked for again, twice as long after each time, up to five minutes", async () => {
  const { database, settler, unknown } = await startSettler(() => Promise.resolve(undefined));
  await writeRequests(database, [pending("1")]);
  const waits: number[] = [];
  for (let round = 0; round < 12; round++) {
    await hurry(database);
    const before = Date.now();
    await settler.settleDue();
    waits.push(Math.round(((await rowOf(database, "1")).settle_at ?? 0) - before) / 1_000);
  }
  expect(waits.map(Math.round)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
  expect([(await rowOf(database, "1")).settle_attempts, unknown]).toEqual([12, []]);
});

test("what OpenRouter does not know after a day is given up, counted and told of", async () => {
  const { database, settler, unknown } = await startSettler(() => Promise.resolve(undefined));
  await writeRequests(database, [
    pending("old", { ended_at: Date.now() - DAY_MS, prompt_tokens: 5 }),
    pending("young", { ended_at: Date.now() - DAY_MS + 60_000 }),
  ]);
  await settler.settleDue();
  expect(unknown).toEqual(["old"]);
  expect(await rowOf(database, "old")).toMatchObject({
    state: "unknown",
    cost_source: "unknown",
    cost_nanodollars: null,
    prompt_tokens: 5,
    settle_at: null,
  });
  expect((await rowOf(database, "young")).state).toBe("pending");
  const rollups = await database.kysely.selectFrom("rollups").selectAll().execute();
  expect(rollups).toMatchObject([
    { requests: 1, unknown_requests: 1, cost_nanodollars: 0, prompt_tokens: 5 },
  ]);
});

test("a request of long ago is not given up for one bad moment of upstream's, and is settled after it", async () => {
  let down = true;
  const { database, settler, unknown, failures } = await startSettler(() =>
    down ? Promise.reject(new Error("502")) : Promise.resolve(RECORD),
  );
  await writeRequests(database, [pending("1", { ended_at: Date.now() - 3 * DAY_MS })]);
  await settler.settleDue();
  expect([(await rowOf(database, "1")).state, unknown, failures.length]).toEqual(["pending", [], 1]);
  down = false;
  await hurry(database);
  await settler.settleDue();
  expect(await rowOf(database, "1")).toMatchObject({ state: "settled", cost_nanodollars: 7 });
});

test("an upstream that never says anything is asked a number of times after the day, and no more", async () => {
  const { database, settler, unknown } = await startSettler(() => Promise.reject(new Error("401")));
  await writeRequests(database, [pending("1", { ended_at: Date.now() - DAY_MS })]);
  let rounds = 0;
  for (; unknown.length === 0 && rounds < 50; rounds++) {
    await hurry(database);
    await settler.settleDue();
  }
  expect([rounds, (await rowOf(database, "1")).state]).toEqual([8, "unknown"]);
});
