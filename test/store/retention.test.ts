import { expect, onTestFinished, test, vi } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { deleteRequestsBefore, Retention } from "../../src/store/retention.ts";
import { openTestDatabase } from "../support/store.ts";
import { testRetention } from "./retention-contract.ts";
import { addRequests, NOVEMBER, settledRow } from "./rows.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

testRetention(openTestDatabase);

async function count({ kysely }: Database): Promise<number> {
  const rows = await kysely.selectFrom("requests").select("id").execute();
  return rows.length;
}

/** A retention of a day, on a clock that the test moves; it is two days after the beginning of November. */
function start(database: Database): { retention: Retention; failures: unknown[] } {
  const failures: unknown[] = [];
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: NOVEMBER + 2 * DAY_MS });
  onTestFinished(() => void vi.useRealTimers());
  const retention = new Retention(database, DAY_MS, (error) => failures.push(error));
  retention.start();
  onTestFinished(() => retention.stop());
  return { retention, failures };
}

/** Lets everything that is not a timer happen. */
async function turn(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => void setImmediate(resolve));
}

test("old rows are deleted a minute after the start, and from then on every hour", async () => {
  const database = await openTestDatabase();
  await addRequests(database, [settledRow(0), settledRow(DAY_MS + HOUR_MS), settledRow(2 * DAY_MS)]);
  start(database);
  vi.advanceTimersByTime(MINUTE_MS - 1);
  await turn();
  expect(await count(database)).toBe(3);
  vi.advanceTimersByTime(1);
  await turn();
  expect(await count(database)).toBe(2);
  vi.advanceTimersByTime(HOUR_MS - 1);
  await turn();
  expect(await count(database)).toBe(2);
  vi.advanceTimersByTime(1);
  await turn();
  expect(await count(database)).toBe(1);
});

test("a round that fails is told of, and the next one is made all the same", async () => {
  const database = await openTestDatabase();
  await addRequests(database, [settledRow(0)]);
  const { failures } = start(database);
  await database.kysely.schema.alterTable("requests").renameTo("away").execute();
  vi.advanceTimersByTime(MINUTE_MS);
  await turn();
  expect(failures).toHaveLength(1);
  await database.kysely.schema.alterTable("away").renameTo("requests").execute();
  vi.advanceTimersByTime(HOUR_MS);
  await turn();
  expect([failures.length, await count(database)]).toEqual([1, 0]);
});

test("once it has stopped nothing is deleted any more", async () => {
  const database = await openTestDatabase();
  const { retention } = start(database);
  vi.advanceTimersByTime(MINUTE_MS);
  await retention.stop();
  await addRequests(database, [settledRow(0)]);
  vi.advanceTimersByTime(10 * HOUR_MS);
  await turn();
  expect([await count(database), vi.getTimerCount()]).toEqual([1, 0]);
});

test("between two batches everything else gets its turn, and a stop comes through", async () => {
  const database = await openTestDatabase();
  await addRequests(
    database,
    Array.from({ length: 3_500 }, (_, index) => settledRow(index)),
  );
  const stopping = new AbortController();
  const deletion = deleteRequestsBefore(database, NOVEMBER + DAY_MS, stopping.signal);
  // Waits for its turn as a request would: without a turn between two batches it comes after the last of them.
  setImmediate(() => stopping.abort());
  expect(await deletion).toBeLessThan(3_500);
});
