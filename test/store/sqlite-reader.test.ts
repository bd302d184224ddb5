import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CompiledQuery } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { PAGE_ROWS } from "../../src/store/paged-reader.ts";
import { SqliteReader } from "../../src/store/sqlite-reader.ts";
import { isUnavailable } from "../../src/store/unavailable.ts";
import { runNode } from "../support/process.ts";
import { temporaryDirectory } from "../support/store.ts";

const NUMBERS = "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?) select i from n";
const numbers = (count: number): CompiledQuery => CompiledQuery.raw(NUMBERS, [count]);

function startReader(path: string): SqliteReader {
  const reader = new SqliteReader({ path, busyTimeoutMs: 10 });
  onTestFinished(() => reader.close());
  return reader;
}

function makeFile(): { path: string; sqlite: DatabaseSync } {
  const path = join(temporaryDirectory(), "x.db");
  const sqlite = new DatabaseSync(path);
  onTestFinished(() => sqlite.close());
  sqlite.exec("pragma journal_mode = wal; create table t (a integer)");
  return { path, sqlite };
}

test.each([1, PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1, 4 * PAGE_ROWS])(
  "gives %i rows, in order, each once",
  async (count) => {
    const reader = startReader(makeFile().path);
    const pages = await Array.fromAsync(reader.pages(numbers(count)));
    expect(pages.flat().map((row) => row["i"])).toEqual(
      Array.from({ length: count }, (_, index) => index + 1),
    );
    expect(pages.every((page) => page.length > 0)).toBe(true);
  },
);

test("keeps queries apart that are read at the same time, and holds no transaction between pages", async () => {
  const { path, sqlite } = makeFile();
  const reader = startReader(path);
  sqlite.exec(`insert into t ${NUMBERS.replace("?", "1200")}`);
  const all = reader.pages(CompiledQuery.raw("select a from t order by a"));
  const other = reader.pages(numbers(PAGE_ROWS + 100));
  expect((await all.next()).value).toHaveLength(PAGE_ROWS);
  expect((await other.next()).value).toHaveLength(PAGE_ROWS);
  sqlite.exec("delete from t");
  expect(sqlite.prepare("pragma wal_checkpoint(truncate)").get()).toMatchObject({ busy: 0 });
  expect((await other.next()).value).toHaveLength(100);
  expect((await all.next()).value?.[0]).toEqual({ a: PAGE_ROWS + 1 });
  await all.return();
  expect(await reader.row(CompiledQuery.raw("select count(*) as c from t"))).toEqual({ c: 0 });
  expect(await Array.fromAsync(reader.pages(CompiledQuery.raw("select a from t")))).toEqual([]);
});

test("says what SQLite says, with its codes, and goes on with the next query", async () => {
  const { path, sqlite } = makeFile();
  // Without it, a writer keeps readers waiting.
  sqlite.exec("pragma journal_mode = delete");
  const reader = startReader(path);
  await expect(reader.row(CompiledQuery.raw("select * from nowhere"))).rejects.toThrow(/nowhere/);
  await expect(reader.row(CompiledQuery.raw("delete from t"))).rejects.toThrow(/syntax|near/);
  sqlite.exec("begin exclusive");
  const busy = await reader.row(CompiledQuery.raw("select 1 from t")).catch((error: unknown) => error);
  expect(isUnavailable(busy)).toBe(true);
  sqlite.exec("commit");
  expect(await reader.row(numbers(1))).toEqual({ i: 1 });
});

test("fails every query of a thread that cannot open its file, and starts another one for the next", async () => {
  const path = join(temporaryDirectory(), "x.db");
  const reader = startReader(path);
  const failed = await Promise.allSettled([reader.row(numbers(1)), reader.row(numbers(1))]);
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  const sqlite = new DatabaseSync(path);
  onTestFinished(() => sqlite.close());
  expect(await reader.row(numbers(1))).toEqual({ i: 1 });
});

test("fails a query whose thread is closed meanwhile", async () => {
  const reader = startReader(makeFile().path);
  const [read] = await Promise.allSettled([reader.row(numbers(1)), reader.close()]);
  expect(read).toMatchObject({ status: "rejected", reason: { message: expect.stringContaining("ended") } });
});

test("keeps a process alive while a query is read, and no longer", async () => {
  const script = `
    import { SqliteReader } from "./src/store/sqlite-reader.ts";
    const reader = new SqliteReader({ path: ${JSON.stringify(makeFile().path)}, busyTimeoutMs: 10 });
    console.log(await reader.row({ sql: "select 7 as seven", parameters: [] }));`;
  const run = runNode("--input-type=module", {}, ["--eval", script]);
  expect(await run.exit("the script")).toBe(0);
  expect(run.stdout()).toContain("seven: 7");
});
