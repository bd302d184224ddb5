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

async function countRows({ kysely }: Database): Promise<number> {
  const rows = await kysely.selectFrom("requests").select("id").execute();
  return rows.length;
}

/** Starts a retention of `keepMs` with a fake clock, which shows 3 November by default. */
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

/** Runs everything that is due on the event loop, except timers. */
async function runEventLoop(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => void setImmediate(resolve));
}

test("deletes old rows a minute after the start, and then every hour", async () => {
  const database = await openTestDatabase();
  await insertRequests(database, [
    createSettledRow(0),
    createSettledRow(DAY_MS + HOUR_MS),
    createSettledRow(2 * DAY_MS),
  ]);
  await start(database);
  vi.advanceTimersByTime(MINUTE_MS - 1);
  await runEventLoop();
  expect(await countRows(database)).toBe(3);
  vi.advanceTimersByTime(1);
  await runEventLoop();
  expect(await countRows(database)).toBe(2);
  vi.advanceTimersByTime(HOUR_MS - 1);
  await runEventLoop();
  expect(await countRows(database)).toBe(2);
  vi.advanceTimersByTime(1);
  await runEventLoop();
  expect(await countRows(database)).toBe(1);
});

test("reports a failed round, and runs the next one", async () => {
  const database = await openTestDatabase();
  await insertRequests(database, [createSettledRow(0)]);
  const { failures } = await start(database);
  await database.kysely.schema.alterTable("requests").renameTo("away").execute();
  vi.advanceTimersByTime(MINUTE_MS);
  await runEventLoop();
  expect(failures).toHaveLength(1);
  await database.kysely.schema.alterTable("away").renameTo("requests").execute();
  vi.advanceTimersByTime(HOUR_MS);
  await runEventLoop();
  expect([failures.length, await countRows(database)]).toEqual([1, 0]);
});

test("retention deletes nothing after it has stopped", async () => {
  const database = await openTestDatabase();
  const { retention } = await start(database);
  vi.advanceTimersByTime(MINUTE_MS);
  await retention.stop();
  await insertRequests(database, [createSettledRow(0)]);
  vi.advanceTimersByTime(10 * HOUR_MS);
  await runEventLoop();
  expect([await countRows(database), vi.getTimerCount()]).toEqual([1, 0]);
});

test("yields to the event loop between batches, so that an abort takes effect", async () => {
  const database = await openTestDatabase();
  await insertRequests(
    database,
    Array.from({ length: 3_500 }, (_, index) => createSettledRow(index)),
  );
  const stopping = new AbortController();
  const deletion = deleteRequestsBefore(database, NOVEMBER + DAY_MS, stopping.signal);
  // Waits for the event loop, as a request would. If batches did not yield, the abort would come after the last batch.
  setImmediate(() => stopping.abort());
  expect(await deletion).toBeLessThan(3_500);
});

/** Fills a ledger with one row for each of the 50 days up to 3 November, the default time of the fake clock. */
async function openUsedLedger(): Promise<Database> {
  const database = await openTestDatabase();
  const days = Array.from({ length: 50 }, (_, day) => createSettledRow((2 - day) * DAY_MS));
  await insertRequests(database, days);
  return database;
}

/** Restarts the retention with a wrong clock, and runs it for `runMs`. */
async function restart(database: Database, clockMs: number, { keepDays = 395, runMs = MINUTE_MS } = {}) {
  const first = await start(database, keepDays * DAY_MS);
  await first.retention.stop();
  const second = await start(database, keepDays * DAY_MS, clockMs);
  for (let ranMs = 0; ranMs < runMs; ranMs += MINUTE_MS) {
    vi.advanceTimersByTime(MINUTE_MS);
    await runEventLoop();
  }
  return second;
}

test("deletes nothing and reports a clock that is 400 days ahead, even when the newest row has its time from that clock", async () => {
  const database = await openUsedLedger();
  const first = await start(database, 395 * DAY_MS);
  await first.retention.stop();
  const { ahead, retention } = await start(database, 395 * DAY_MS, NOVEMBER + 402 * DAY_MS);
  await insertRequests(database, [createSettledRow(402 * DAY_MS)]);
  vi.advanceTimersByTime(MINUTE_MS);
  await runEventLoop();
  expect([await countRows(database), ahead.length]).toEqual([51, 1]);
  expect(ahead[0]).toBeGreaterThan(399 * DAY_MS);
  expect(await retention.deletedBefore()).toBeLessThan(NOVEMBER - 392 * DAY_MS);
});

test("trusts the newest row more than the clock when no trusted time is stored", async () => {
  const database = await openUsedLedger();
  const { ahead } = await start(database, 395 * DAY_MS, NOVEMBER + 402 * DAY_MS);
  vi.advanceTimersByTime(MINUTE_MS);
  await runEventLoop();
  expect([await countRows(database), ahead.length]).toEqual([50, 1]);
});

test("deletes nothing in ten starts with a clock that is far ahead", async () => {
  const database = await openUsedLedger();
  for (let time = 0; time < 10; time++) {
    const { retention } = await restart(database, NOVEMBER + 402 * DAY_MS);
    await retention.stop();
  }
  expect(await countRows(database)).toBe(50);
});

test("deletes at most one day of rows per hour when the clock jumps far ahead while the gateway runs", async () => {
  const database = await openUsedLedger();
  await start(database, 40 * DAY_MS);
  vi.advanceTimersByTime(MINUTE_MS);
  await runEventLoop();
  expect(await countRows(database)).toBe(40);
  vi.setSystemTime(NOVEMBER + 402 * DAY_MS);
  for (let hour = 1; hour <= 3; hour++) {
    vi.advanceTimersByTime(HOUR_MS);
    await runEventLoop();
    expect(await countRows(database)).toBe(40 - hour);
  }
});

test("deletes older rows at once when LEDGER_RETENTION_DAYS is shortened", async () => {
  const database = await openUsedLedger();
  const first = await start(database, 395 * DAY_MS);
  await first.retention.stop();
  const { ahead } = await start(database, 2 * DAY_MS);
  vi.advanceTimersByTime(MINUTE_MS);
  await runEventLoop();
  expect([await countRows(database), ahead]).toEqual([2, []]);
});

test("trusts the clock when the gateway was off for a month", async () => {
  const database = await openUsedLedger();
  const { ahead } = await restart(database, NOVEMBER + 32 * DAY_MS, { keepDays: 300 });
  expect([await countRows(database), ahead]).toEqual([50, []]);
  const { ahead: later } = await restart(database, NOVEMBER + 60 * DAY_MS, { keepDays: 300 });
  expect([await countRows(database), later]).toEqual([50, []]);
});

test("trusts a clock that began in 1970 and has been corrected", async () => {
  const database = await openTestDatabase();
  const first = await start(database, 10 * DAY_MS, 0);
  await first.retention.stop();
  await insertRequests(database, [createSettledRow(-20 * DAY_MS), createSettledRow(2 * DAY_MS)]);
  const { ahead } = await start(database, 10 * DAY_MS);
  vi.advanceTimersByTime(MINUTE_MS);
  await runEventLoop();
  expect([await countRows(database), ahead]).toEqual([1, []]);
});

test("deletes the right rows when a clock that was far ahead is set back", async () => {
  const database = await openUsedLedger();
  const { retention } = await restart(database, NOVEMBER + 402 * DAY_MS, { keepDays: 40 });
  await retention.stop();
  await start(database, 10 * DAY_MS);
  vi.advanceTimersByTime(MINUTE_MS);
  await runEventLoop();
  expect(await countRows(database)).toBe(10);
});
