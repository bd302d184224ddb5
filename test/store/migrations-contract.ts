import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DAY_MS } from "../../src/durations.ts";
import { LATENCY_COUNTS } from "../../src/metering/latency-counts.ts";
import { type Sum, SUMS } from "../../src/metering/record.ts";
import type { Database } from "../../src/store/database.ts";
import { isInvalidRow } from "../../src/store/database-errors.ts";
import { migrate, MIGRATIONS } from "../../src/store/migrations.ts";
import { sql } from "kysely";
import { createSettledRow, insertRequests } from "../support/ledger-rows.ts";
import { createKeyRow } from "../support/key-row.ts";
import { readSchema } from "../support/read-schema.ts";

const KEY = createKeyRow({ id: "key_1", name: "bob", digest: "00" });

const RESULTS: readonly Sum[] = ["failed_requests", "cancelled_requests"];
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

const TIMES = [
  ["rollups", "hour"],
  ["rollups_daily", "day"],
] as const;
