import { sql } from "kysely";
import { expect, test } from "vitest";
import { SqliteReader } from "../../src/store/sqlite-reader.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitFor } from "../support/wait.ts";
import { testReaders } from "./reader-contract.ts";

testReaders(openTestDatabase);

const SLOW =
  "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000) select i from n";

async function open(): Promise<SqliteReader> {
  const { sqlite } = await openTestDatabase();
  if (!sqlite) throw new Error("not SQLite");
  return new SqliteReader(sqlite, "test");
}

test("the reader's thread cannot write", async () => {
  const { reader } = await openTestDatabase();
  await expect(
    reader.insertInto("instances").values({ id: "a", started_at: 0, seen_at: 0 }).execute(),
  ).rejects.toMatchObject({ message: "attempt to write a readonly database", errcode: 8 });
  await expect(reader.transaction().execute(async () => {})).rejects.toThrow("does not support transactions");
});

test("rejects an integer outside the safe range, as the main thread does", async () => {
  const { reader } = await openTestDatabase();
  await expect(sql`select 9007199254740993 as n`.execute(reader)).rejects.toMatchObject({
    code: "ERR_OUT_OF_RANGE",
  });
});

test("reads from open cursors in turn, so that one stream does not wait for the end of another", async () => {
  const reader = await open();
  const long = reader.read(SLOW, [], { batchRows: 10, isCopied: false });
  expect((await long.next()).value).toHaveLength(10);
  const short = await waitFor(
    Array.fromAsync(reader.read("select 1 as one", [], { batchRows: 10, isCopied: false })),
    "the short statement",
  );
  expect(short).toEqual([[{ one: 1 }]]);
  expect((await long.next()).value?.[0]).toEqual({ i: 11 });
  await long.return(undefined);
  await reader.close();
});

test.each([true, false])(
  "a stream blocks a restart of the WAL only if it is not copied (copied: %s)",
  async (isCopied) => {
    const { sqlite, kysely } = await openTestDatabase();
    if (!sqlite) throw new Error("not SQLite");
    const reader = new SqliteReader(sqlite, "test");
    const rows = reader.read("select * from instances", [], { batchRows: 1, isCopied });
    const write = (id: string) =>
      kysely.insertInto("instances").values({ id, started_at: 0, seen_at: 0 }).execute();
    for (const id of ["a", "b", "c"]) await write(id);
    await rows.next();
    await write("d");
    const restart = () => sqlite.prepare("pragma wal_checkpoint(restart)").get()?.["busy"];
    sqlite.exec("pragma busy_timeout = 0");
    expect(restart()).toBe(isCopied ? 0 : 1);
    await rows.return(undefined);
    // The thread runs commands in order, so the cursor is closed when this statement has returned.
    await Array.fromAsync(reader.read("select 1", [], { batchRows: 1, isCopied: false }));
    expect(restart()).toBe(0);
    await reader.close();
  },
);

test("close ends streams, and rejects queued and later statements", async () => {
  const reader = await open();
  const stream = reader.read(SLOW, [], { batchRows: 10, isCopied: false });
  await stream.next();
  const results = Promise.allSettled(
    Array.from({ length: 3 }, () =>
      Array.fromAsync(reader.read(SLOW, [], { batchRows: 400_000, isCopied: false })),
    ),
  );
  await waitFor(reader.close(), "the thread to exit");
  expect((await results).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
  await expect(stream.next()).rejects.toThrow("the database is closed");
  await expect(reader.read(SLOW, [], { batchRows: 10, isCopied: false }).next()).rejects.toThrow(
    "the database is closed",
  );
  await waitFor(reader.close(), "a second close");
});

test("an unused reader closes without starting a thread", async () => {
  const reader = await open();
  await waitFor(reader.close(), "close");
  await expect(reader.read("select 1", [], { batchRows: 1, isCopied: false }).next()).rejects.toThrow(
    "the database is closed",
  );
});

test("a thread that cannot open the file fails its statement, and the next statement tries again", async () => {
  const missing = { location: () => "/nowhere/sluice.db" } as never;
  const reader = new SqliteReader(missing, "test");
  for (let attempt = 0; attempt < 2; attempt++)
    await expect(
      waitFor(Array.fromAsync(reader.read("select 1", [], { batchRows: 1, isCopied: false })), "the failure"),
    ).rejects.toMatchObject({ code: "ERR_SQLITE_ERROR" });
  await reader.close();
});
