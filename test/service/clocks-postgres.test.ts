import { sql } from "kysely";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { adoptOrphans, heartbeat } from "../../src/metering/sql/instances.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { Retention } from "../../src/metering/sql/retention.ts";
import { toRowIdPrefix } from "../../src/metering/record.ts";
import { claimDue, postponeLookup, makeMisdatedDue } from "../../src/metering/sql/settlements.ts";
import { startOrphanRecovery } from "../support/orphan-recovery.ts";
import { createPendingRow, readRow, startReconciler } from "../support/cost-reconciler.ts";
import { createRequestRow } from "../support/request-row.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SKEWS = [
  ["25 h ahead", 25 * HOUR_MS],
  ["400 days ahead", 400 * DAY_MS],
  ["400 days behind", -400 * DAY_MS],
] as const;
let postgres: Postgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);

afterAll(() => postgres.close());

const open = async () => openTestDatabase(await postgres.createDatabase());

/** Skews this process's clock for the rest of the test. @returns the correct time. */
function skewClock(byMs: number): number {
  const rightAt = Date.now();
  vi.useFakeTimers({ toFake: ["Date"], now: rightAt + byMs });
  onTestFinished(() => void vi.useRealTimers());
  return rightAt;
}

test.each(SKEWS)(
  "a process whose clock is %s uses the database server's clock for heartbeats, claims and postponed look-ups",
  async (_, byMs) => {
    const database = await open();
    await writeRequests(database, [
      createPendingRow("due"),
      createPendingRow("later", { settle_at: Date.now() + HOUR_MS }),
    ]);
    const rightAt = skewClock(byMs);
    expect(Math.abs((await heartbeat(database, "me")) - rightAt)).toBeLessThan(10_000);
    expect((await claimDue(database, 10)).map(({ id }) => id)).toEqual(["due"]);
    await postponeLookup(database, "due", { waitMs: HOUR_MS, countsAsAttempt: true });
    const { settle_at } = await readRow(database, "due");
    expect(Math.abs((settle_at ?? 0) - rightAt - HOUR_MS)).toBeLessThan(10_000);
    await makeMisdatedDue(database, 2 * HOUR_MS);
    expect(await claimDue(database, 10)).toEqual([]);
  },
);

test.each(SKEWS)("a process whose clock is %s takes over no rows of live instances", async (_, byMs) => {
  const database = await open();
  await heartbeat(database, "alive");
  await writeRequests(database, [
    createRequestRow("1", { instance: "alive", started_at: Date.now() }),
    createRequestRow("2", { instance: "alive", generation_id: "gen-2", started_at: Date.now() }),
  ]);
  skewClock(byMs);
  expect(await adoptOrphans(database, { deadAfterMs: 60_000, lostAfterMs: HOUR_MS })).toEqual([]);
  const listed = await database.kysely.selectFrom("instances").select("id").execute();
  expect(listed).toEqual([{ id: "alive" }]);
  expect((await readRow(database, "2")).state).toBe("open");
});

test("a reconciler whose clock is 25 h ahead keeps a row pending after one look-up", async () => {
  const database = await open();
  await writeRequests(database, [createPendingRow("1")]);
  skewClock(25 * HOUR_MS);
  const { reconciler, unknown } = await startReconciler(() => Promise.resolve(undefined), { database });
  await reconciler.reconcileDue();
  await reconciler.reconcileDue();
  expect([await readRow(database, "1"), unknown]).toMatchObject([
    { state: "pending", settle_attempts: 1 },
    [],
  ]);
});

test("a process whose clock is 400 days ahead deletes only rows that are old by the database server's clock", async () => {
  const database = await open();
  const row = (started_at: number) =>
    createRequestRow(`${toRowIdPrefix(started_at)}x`, { state: "settled", cost_nanodollars: 1, started_at });
  const now = Date.now();
  await writeRequests(database, [row(now - 396 * DAY_MS), row(now - 394 * DAY_MS), row(now)]);
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: now + 400 * DAY_MS });
  onTestFinished(() => void vi.useRealTimers());
  const ahead: number[] = [];
  const retention = new Retention({
    database,
    keepMs: 395 * DAY_MS,
    onFailure: (error) => expect.unreachable(String(error)),
    onClockAhead: (time) => ahead.push(time.now - time.trusted),
  });
  await retention.start();
  vi.advanceTimersByTime(60_000);
  await retention.stop();
  vi.useRealTimers();
  const remaining = await database.kysely.selectFrom("requests").select("started_at").orderBy("id").execute();
  expect([remaining.map(({ started_at }) => now - started_at), ahead]).toEqual([[394 * DAY_MS, 0], []]);
});

test("orphan recovery reports the difference between the clocks of the process and of the database server", async () => {
  const database = await open();
  skewClock(25 * HOUR_MS);
  const { skews } = await startOrphanRecovery({ database });
  await waitUntil(() => skews.length > 0, "the report");
  expect(Math.abs((skews[0] ?? 0) - 25 * HOUR_MS)).toBeLessThan(10_000);
});

test("the statement that claims due rows every few seconds uses the index of unfinished rows", async () => {
  const database = await open();
  await sql`
    insert into requests (id, request_id, instance, key_id, key_name, stream, status, state, bytes_in, bytes_out, started_at, settle_at)
    select 'x' || n, 'r', 'me', 'k', 'k', 0, 200, case when n % 10 = 0 then 'pending' else 'settled' end, 0, 0, 0, 9e15
    from generate_series(1, 20000) n`.execute(database.kysely);
  await sql`analyze requests`.execute(database.kysely);
  const { rows } = await sql<{ "QUERY PLAN": string }>`
    explain select id from requests where requests.state in ('open', 'pending') and state = 'pending'
    and settle_at <= ((select (extract(epoch from clock_timestamp()) * 1000)::bigint) + 0::bigint)
    order by settle_at limit 8 for update skip locked`.execute(database.kysely);
  const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
  expect(plan).toMatch(/Index Scan using requests_unfinished[\s\S]*Index Cond: \(settle_at <=/);
});
