import { expect, onTestFinished, test, vi } from "vitest";
import type { Database } from "../../../src/store/database.ts";
import { deleteRequestsBefore, Retention } from "../../../src/metering/sql/retention.ts";
import { openTestDatabase } from "../../support/test-database.ts";
import { testRetention } from "./retention-contract.ts";
import { insertRequests, NOVEMBER, createSettledRow } from "../../support/ledger-rows.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

testRetention(openTestDatabase);

async function count({ kysely }: Database): Promise<number> {
  const rows = await kysely.selectFrom("requests").select("id").execute();
  return rows.length;
}

/** A retention of a day, on a clock that the test moves; it is two days after the beginning of November. */
async function start(database: Database, keepMs = DAY_MS, clockMs = NOVEMBER + 2 * DAY_MS) {
  const failures: unknown[] = [];
  const ahead: number[] = [];
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: clockMs });
  onTestFinished(() => void vi.useRealTimers());
  const retention = new Retention({
    database,
    keepMs,
    onFailure: (error) => failures.push(error),
    onClockAhead: ({ now, trusted }) => ahead.push(now - trusted),
  });
  await retention.start();
  onTestFinished(() => retention.stop());
  return { retention, failures, ahead };
}

/** Lets everything that is not a timer happen. */
async function turn(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => void setImmediate(resolve));
}

test("old rows are deleted a minute after the start, and from then on every hour", async () => {
  const database = await openTestDatabase();
  await insertRequests(database, [
    createSettledRow(0),
    createSettledRow(DAY_MS + HOUR_MS),
    createSettledRow(2 * DAY_MS),
  ]);
  await start(database);
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
  await insertRequests(database, [createSettledRow(0)]);
  const { failures } = await start(database);
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
  const { retention } = await start(database);
  vi.advanceTimersByTime(MINUTE_MS);
  await retention.stop();
  await insertRequests(database, [createSettledRow(0)]);
  vi.advanceTimersByTime(10 * HOUR_MS);
  await turn();
  expect([await count(database), vi.getTimerCount()]).toEqual([1, 0]);
});

test("between two batches everything else gets its turn, and a stop comes through", async () => {
  const database = await openTestDatabase();
  await insertRequests(
    database,
    Array.from({ length: 3_500 }, (_, index) => createSettledRow(index)),
  );
  const stopping = new AbortController();
  const deletion = deleteRequestsBefore(database, NOVEMBER + DAY_MS, stopping.signal);
  // Waits for its turn as a request would: without a turn between two batches it comes after the last of them.
  setImmediate(() => stopping.abort());
  expect(await deletion).toBeLessThan(3_500);
});

/** A ledger that was in use until now, two days after the beginning of November, with a row for each of 50 days. */
async function openUsedLedger(): Promise<Database> {
  const database = await openTestDatabase();
  const days = Array.from({ length: 50 }, (_, day) => createSettledRow((2 - day) * DAY_MS));
  await insertRequests(database, days);
  return database;
}

/** Starts again with a clock that is wrong, and keeps running. */
async function restart(database: Database, clockMs: number, { keepDays = 395, runMs = MINUTE_MS } = {}) {
  const first = await start(database, keepDays * DAY_MS);
  await first.retention.stop();
  const second = await start(database, keepDays * DAY_MS, clockMs);
  for (let ranMs = 0; ranMs < runMs; ranMs += MINUTE_MS) {
    vi.advanceTimersByTime(MINUTE_MS);
    await turn();
  }
  return second;
}

test("a clock that is 400 days ahead deletes nothing and is logged, also when its own rows are the newest", async () => {
  const database = await openUsedLedger();
  const first = await start(database, 395 * DAY_MS);
  await first.retention.stop();
  const { ahead, retention } = await start(database, 395 * DAY_MS, NOVEMBER + 402 * DAY_MS);
  await insertRequests(database, [createSettledRow(402 * DAY_MS)]);
  vi.advanceTimersByTime(MINUTE_MS);
  await turn();
  expect([await count(database), ahead.length]).toEqual([51, 1]);
  expect(ahead[0]).toBeGreaterThan(399 * DAY_MS);
  expect(await retention.deletedBefore()).toBeLessThan(NOVEMBER - 392 * DAY_MS);
});

test("a ledger whose time was never written down trusts its newest row more than the clock", async () => {
  const database = await openUsedLedger();
  const { ahead } = await start(database, 395 * DAY_MS, NOVEMBER + 402 * DAY_MS);
  vi.advanceTimersByTime(MINUTE_MS);
  await turn();
  expect([await count(database), ahead.length]).toEqual([50, 1]);
});

test("ten starts with a clock far ahead delete no more than one", async () => {
  const database = await openUsedLedger();
  for (let time = 0; time < 10; time++) {
    const { retention } = await restart(database, NOVEMBER + 402 * DAY_MS);
    await retention.stop();
  }
  expect(await count(database)).toBe(50);
});

test("a clock that jumps far ahead while the gateway runs deletes no more than a day's rows an hour", async () => {
  const database = await openUsedLedger();
  await start(database, 40 * DAY_MS);
  vi.advanceTimersByTime(MINUTE_MS);
  await turn();
  expect(await count(database)).toBe(40);
  vi.setSystemTime(NOVEMBER + 402 * DAY_MS);
  for (let hour = 1; hour <= 3; hour++) {
    vi.advanceTimersByTime(HOUR_MS);
    await turn();
    expect(await count(database)).toBe(40 - hour);
  }
});

test("a shorter LEDGER_RETENTION_DAYS deletes at once what is older", async () => {
  const database = await openUsedLedger();
  const first = await start(database, 395 * DAY_MS);
  await first.retention.stop();
  const { ahead } = await start(database, 2 * DAY_MS);
  vi.advanceTimersByTime(MINUTE_MS);
  await turn();
  expect([await count(database), ahead]).toEqual([2, []]);
});

test("a gateway that was off for a month deletes at once what has become too old", async () => {
  const database = await openUsedLedger();
  const { ahead } = await restart(database, NOVEMBER + 32 * DAY_MS, { keepDays: 300 });
  expect([await count(database), ahead]).toEqual([50, []]);
  const { ahead: later } = await restart(database, NOVEMBER + 60 * DAY_MS, { keepDays: 300 });
  expect([await count(database), later]).toEqual([50, []]);
});

test("a clock that began in 1970 and is set right is believed", async () => {
  const database = await openTestDatabase();
  const first = await start(database, 10 * DAY_MS, 0);
  await first.retention.stop();
  await insertRequests(database, [createSettledRow(-20 * DAY_MS), createSettledRow(2 * DAY_MS)]);
  const { ahead } = await start(database, 10 * DAY_MS);
  vi.advanceTimersByTime(MINUTE_MS);
  await turn();
  expect([await count(database), ahead]).toEqual([1, []]);
});

test("a clock that is set back after it was far ahead deletes what it should", async () => {
  const database = await openUsedLedger();
  const { retention } = await restart(database, NOVEMBER + 402 * DAY_MS, { keepDays: 40 });
  await retention.stop();
  await start(database, 10 * DAY_MS);
  vi.advanceTimersByTime(MINUTE_MS);
  await turn();
  expect(await count(database)).toBe(10);
});
