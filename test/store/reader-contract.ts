import { setImmediate } from "node:timers/promises";
import { sql } from "kysely";
import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import { waitUntil, waitFor } from "../support/wait.ts";
import type { OpenDatabase } from "../support/ledger-rows.ts";

/** Selects the numbers from 1 to `count`. */
const numbersTo = (count: number) =>
  sql<{
    n: number;
  }>`with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${sql.lit(count)})
    select n from numbers`;

async function addInstance(database: Database, id: string): Promise<void> {
  await database.kysely.insertInto("instances").values({ id, started_at: 0, seen_at: 0 }).execute();
}

/** Tests of `reader` and `reports`, for every database. */
export function testReaders(open: OpenDatabase): void {
  test.each(["reader", "reports"] as const)("%s reads committed rows", async (name) => {
    const database = await open();
    const ids = () => database[name].selectFrom("instances").select("id").orderBy("id").execute();
    expect(await ids()).toEqual([]);
    await addInstance(database, "a");
    expect(await ids()).toEqual([{ id: "a" }]);
    await addInstance(database, "b");
    expect(await ids()).toEqual([{ id: "a" }, { id: "b" }]);
  });

  test.each(["reader", "reports"] as const)(
    "%s returns all rows of a long result, in order",
    async (name) => {
      const database = await open();
      const { rows } = await numbersTo(2_345).execute(database[name]);
      expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 2_345 }, (_, index) => index + 1));
    },
  );

  test.each([0, 1, 99, 100, 101, 1_000])("streams all %i rows in batches of at most 100", async (count) => {
    const { reports } = await open();
    const query = numbersTo(1_000).compile(reports);
    const filtered = { ...query, sql: `select * from (${query.sql}) as numbered where n <= ${count}` };
    const batches = await Array.fromAsync(reports.getExecutor().stream<{ n: number }>(filtered, 100));
    expect(batches.flatMap(({ rows }) => rows)).toHaveLength(count);
    expect(batches.filter(({ rows }) => rows.length === 0 || rows.length > 100)).toEqual([]);
  });

  test("a stream reads one snapshot, and a concurrent statement reads later commits", async () => {
    const database = await open();
    for (const id of ["a", "b", "c", "d"]) await addInstance(database, id);
    const rows = database.reports
      .selectFrom("instances")
      .select("id")
      .where("id", ">", "a")
      .orderBy("id")
      .stream(1);
    expect((await rows.next()).value).toEqual({ id: "b" });
    await database.kysely.deleteFrom("instances").where("id", "=", "d").execute();
    const statement = database.reports.selectFrom("instances").select("id").orderBy("id");
    expect(await waitFor(statement.execute(), "a statement beside the stream")).toEqual([
      { id: "a" },
      { id: "b" },
      { id: "c" },
    ]);
    expect(await Array.fromAsync(rows)).toEqual([{ id: "c" }, { id: "d" }]);
  });

  test("streams that are abandoned midway do not block later statements", async () => {
    const { reports } = await open();
    for (let count = 0; count < 12; count++) {
      for await (const { rows } of reports
        .getExecutor()
        .stream<{ n: number }>(numbersTo(500).compile(reports), 10)) {
        expect(rows).toHaveLength(10);
        break;
      }
    }
    expect((await waitFor(numbersTo(3).execute(reports), "a statement after them")).rows).toHaveLength(3);
  });

  test("a failed statement throws the database's error, and the next one works", async () => {
    const { reader, reports } = await open();
    const failing = sql`select 1 from nowhere`;
    for (const kysely of [reader, reports]) {
      await expect(failing.execute(kysely)).rejects.toThrow("nowhere");
      expect((await numbersTo(2).execute(kysely)).rows).toEqual([{ n: 1 }, { n: 2 }]);
    }
    const stream = reports.getExecutor().stream(failing.compile(reports), 10);
    await expect(Array.fromAsync(stream)).rejects.toThrow("nowhere");
    expect((await numbersTo(2).execute(reports)).rows).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test("reports cannot write through a stream", async () => {
    const database = await open();
    const { reports } = database;
    const write = sql`insert into instances (id, started_at, seen_at) values ('x', 0, 0) returning id`;
    await expect(Array.fromAsync(reports.getExecutor().stream(write.compile(reports), 10))).rejects.toThrow(
      /readonly database|syntax error/,
    );
    expect(await database.kysely.selectFrom("instances").selectAll().execute()).toEqual([]);
  });

  test("a slow statement blocks neither the event loop nor a short read", async () => {
    const { reader, reports } = await open();
    const slow = sql`select count(*) from (${numbersTo(1_000_000)}) as numbered`.execute(reports);
    let [turns, reads] = [0, 0];
    await numbersTo(1).execute(reader);
    while (turns < 1_000 && (await Promise.race([slow, setImmediate("a turn")])) === "a turn") {
      turns++;
      if (turns % 100 > 0) continue;
      await numbersTo(1).execute(reader);
      reads++;
    }
    await waitFor(slow, "the slow statement", 20_000);
    expect([turns, reads]).toEqual([1_000, 10]);
  });

  test("aborts a statement when its client disconnects", async () => {
    const { reports } = await open();
    const controller = new AbortController();
    const query = sql`select count(*) from (${numbersTo(200_000)}) as numbered`.compile(reports);
    const settled = Promise.allSettled(
      Array.from({ length: 5 }, () => reports.executeQuery(query, { signal: controller.signal })),
    );
    controller.abort(new Error("the client disconnected"));
    const results = await waitFor(settled, "the statements to be aborted");
    expect(results.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => "rejected"));
    const returns = async () => (await numbersTo(1).execute(reports)).rows.length === 1;
    expect(await waitUntil(returns, "the next statement to return", 20_000)).toBe(true);
  });
}
