import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DAY_MS } from "../../src/durations.ts";
import { LATENCY_COUNTS } from "../../src/metering/latency-counts.ts";
import {
  INTERRUPTED,
  mapTokenCounts,
  type RequestRow,
  RESULT_COUNTS,
  STATE,
  type Sum,
  SUMS,
  UNKNOWN_COST,
} from "../../src/metering/record.ts";
import type { RollupRow } from "../../src/metering/sql/rollups.ts";
import { settleRow } from "../../src/metering/sql/settlements.ts";
import type { Database } from "../../src/store/database.ts";
import { isInvalidRow } from "../../src/store/database-errors.ts";
import { migrate, MIGRATIONS } from "../../src/store/migrations.ts";
import { sql } from "kysely";
import { createSettledRow, insertRequests } from "../support/ledger-rows.ts";
import { createKeyRow } from "../support/key-row.ts";
import { readSchema } from "../support/read-schema.ts";

const KEY = createKeyRow({ id: "key_1", name: "bob", digest: "00" });

const RESULTS: readonly Sum[] = RESULT_COUNTS;
const SUMS_BEFORE_RESULTS = SUMS.filter((sum) => !RESULTS.includes(sum));

/** Tests of migrations, for every database. @param open returns a database without a schema. */
export function migrationsContract(open: () => Promise<Database>): void {
  test("the initial migration still creates the original schema of existing databases", async () => {
    const database = await open();
    const [[name, initial] = []] = Object.entries(MIGRATIONS);
    await migrate(database.kysely, { [String(name)]: initial ?? {} } as typeof MIGRATIONS);
    const fixture = `test/fixtures/schema/${database.sqlite ? "sqlite" : "postgres"}.txt`;
    expect(await readSchema(database)).toBe(readFileSync(fixture, "utf8"));
  });

  test("a key that was created before keys had aliases has none after the upgrade", async () => {
    const database = await open();
    const earlier = Object.entries(MIGRATIONS).filter(([name]) => name < "0004-key-aliases");
    await migrate(database.kysely, Object.fromEntries(earlier));
    const { aliases: _, group_id: _1, limits: _2, limits_changed_at: _3, end_users: _4, ...rest } = KEY;
    const { unbounded_reservation_nanodollars: _5, blocked_until: _6, ...row } = rest;
    await database.kysely
      .insertInto("keys")
      .values(row as typeof KEY)
      .execute();
    await migrate(database.kysely);
    expect(await database.kysely.selectFrom("keys").selectAll().execute()).toEqual([KEY]);
  });

  test("rollups of earlier versions become those of chat completions, with the same sums", async () => {
    const database = await open();
    const before = Object.entries(MIGRATIONS).filter(([name]) => name < "0006");
    await migrate(database.kysely, Object.fromEntries(before));
    const sums = SUMS_BEFORE_RESULTS.map((sum, index) => [sum, 1_000 + index] as const);
    const group = { key_id: "key_a", model: "a/b", provider: "P" };
    for (const [table, time] of TIMES)
      for (const start of [0, DAY_MS]) {
        const values = Object.values({ [time]: start, ...group, ...Object.fromEntries(sums) });
        const names = sql.raw([time, ...Object.keys(group), ...SUMS_BEFORE_RESULTS].join(", "));
        await sql`insert into ${sql.table(table)} (${names}) values (${sql.join(values)})`.execute(
          database.kysely,
        );
      }
    await database.migrate();
    for (const [table, time] of TIMES) {
      const rows = await database.kysely.selectFrom(table).selectAll().orderBy(time).execute();
      const added = [...RESULTS, ...LATENCY_COUNTS].map((name) => [name, 0]);
      const kept = {
        ...group,
        endpoint: "chat/completions",
        ...Object.fromEntries(sums),
        ...Object.fromEntries(added),
      };
      expect(rows).toEqual([
        { [time]: 0, ...kept },
        { [time]: DAY_MS, ...kept },
      ]);
    }
    expect(await readSchema(database)).not.toContain("before_endpoints");
    const row = createSettledRow(0, { endpoint: "embeddings" });
    await insertRequests(database, [row, createSettledRow(1, {}, 1)]);
    expect(await database.kysely.selectFrom("rollups").selectAll().execute()).toHaveLength(4);
  });

  test("the correction of a request that an earlier version counted without its result leaves no negative count", async () => {
    const database = await open();
    await database.migrate();
    const unknown = { ...UNKNOWN_COST, cost_nanodollars: null, provider: null, end_user: "ann" };
    const rows = [
      createSettledRow(0, { ...unknown, outcome: INTERRUPTED, status: 0 }, 1),
      createSettledRow(0, { ...unknown, first_byte_ms: 300, total_ms: 600 }, 2),
      createSettledRow(0, { ...unknown, outcome: "client_gone" }, 3),
    ];
    await insertRequests(database, [...rows, createSettledRow(0, { provider: null, end_user: "ann" }, 4)]);
    for (const [table] of TIMES) await clearCounts(database, table, [...RESULTS, ...LATENCY_COUNTS]);
    await clearCounts(database, "rollups_end_users", RESULTS);
    // The journal of the process of the first request has its end, and the costs of the others are looked up.
    const [interrupted, ...others] = rows as [RequestRow, ...RequestRow[]];
    const settled = { state: STATE.settled, cost_source: "generation", cost_nanodollars: 7 } as const;
    await insertRequests(database, [{ ...interrupted, ...settled, outcome: "complete", status: 200 }]);
    const settlement = { ...mapTokenCounts(() => 1), is_byok: 0, upstream_inference_nanodollars: null };
    for (const { id } of others)
      await settleRow(database, id, { ...settlement, ...settled, provider: "Google", response_model: null });
    for (const [table] of TIMES) {
      const sums = await database.kysely.selectFrom(table).selectAll().orderBy("provider").execute();
      expect(sums.map(pickCounts)).toEqual([
        ["", 2, 0, 0, 0, 0],
        ["Google", 2, 0, 1, 1, 1],
      ]);
    }
    expect(await database.kysely.selectFrom("rollups_end_users").selectAll().execute()).toMatchObject([
      { requests: 4, failed_requests: 0, cancelled_requests: 0 },
    ]);
  });

  test("a process of an earlier version keeps its rows in its journal instead of giving them up as invalid", async () => {
    const database = await open();
    await database.migrate();
    const error: unknown = await sql`insert into rollups (hour, key_id, model, provider, requests)
      values (0, 'key_a', 'a/b', 'P', 1) on conflict (hour, key_id, model, provider)
      do update set requests = rollups.requests + excluded.requests`
      .execute(database.kysely)
      .catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(Error);
    expect(isInvalidRow(error)).toBe(false);
  });
}

/** Returns the provider, the requests, their results and two of their latencies. */
const pickCounts = (row: RollupCounts): unknown[] => [
  row.provider,
  row.requests,
  row.failed_requests,
  row.cancelled_requests,
  row.first_byte_le_500,
  row.total_le_1000,
];

type RollupCounts = Pick<
  RollupRow,
  "provider" | Extract<Sum, `${string}requests`> | "first_byte_le_500" | "total_le_1000"
>;

/** Sets counts to 0, as after the upgrade of a database. */
async function clearCounts({ kysely }: Database, table: string, names: readonly string[]): Promise<void> {
  const changes = sql.join(names.map((name) => sql`${sql.ref(name)} = 0`));
  await sql`update ${sql.table(table)} set ${changes}`.execute(kysely);
}

const TIMES = [
  ["rollups", "hour"],
  ["rollups_daily", "day"],
] as const;
