import { readFileSync, statSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { Checkpoints } from "../../src/store/checkpoints.ts";
import type { Database } from "../../src/store/database.ts";
import { openTestDatabase } from "../support/store.ts";
import { until, within } from "../support/until.ts";

const PAGE_BYTES = 16_384;
/** SQLite's own `wal_autocheckpoint`. */
const WRITER_STOPS_AT_PAGES = 1_000;

/** An open file, its checkpoints, and what stands in the file itself. */
async function start() {
  const database = await openTestDatabase();
  const path = database.sqlite?.location() ?? "";
  const failures: Error[] = [];
  const checkpoints = new Checkpoints(sqliteOf(database), (error) => failures.push(error), 20);
  checkpoints.start();
  onTestFinished(() => checkpoints.stop());
  return {
    database,
    checkpoints,
    failures,
    inFile: (text: string) => readFileSync(path).includes(text),
    logBytes: () => statSync(`${path}-wal`).size,
  };
}

function sqliteOf({ sqlite }: Database) {
  if (!sqlite) throw new Error("not SQLite");
  return sqlite;
}

async function write(database: Database, id: string): Promise<void> {
  await database.kysely.insertInto("instances").values({ id, started_at: 0, seen_at: 0 }).execute();
}

test("what SQLite has in its log comes to its file without the connection that writes", async () => {
  const { database, inFile } = await start();
  await write(database, "instance-of-the-test");
  expect(await until(() => inFile("instance-of-the-test"), "the row in the file")).toBe(true);
});

test("a log that is written on and on begins anew before its writer would have to stop for it", async () => {
  const { database, inFile, logBytes } = await start();
  const row = (round: number): string => `round ${round} ${"x".repeat(100 * PAGE_BYTES)}`;
  let written = 0;
  await write(database, row(0));
  for (let round = 1; written < 1_500 * PAGE_BYTES; round++) {
    await database.kysely
      .updateTable("instances")
      .set({ id: row(round) })
      .execute();
    written += 100 * PAGE_BYTES;
    await until(() => inFile(`round ${round} `), "the row in the file");
    expect(logBytes()).toBeLessThan(WRITER_STOPS_AT_PAGES * PAGE_BYTES);
  }
});

test("when it is stopped all is in the file, and the thread is gone", async () => {
  const { database, checkpoints, inFile, failures } = await start();
  await write(database, "the last one");
  await within(checkpoints.stop(), "the thread to end");
  expect(inFile("the last one")).toBe(true);
  await checkpoints.stop();
  expect(failures).toEqual([]);
});
