import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { type Database, openDatabase } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";
import { createEndedContext } from "../support/request-context.ts";
import { beginEntry, createEndedEntry, startBatchWriter } from "../support/batch-writer.ts";

/** Opens a migrated SQLite database. @returns the database and the path of its file. */
async function openDatabaseFile(): Promise<{ database: Database; path: string }> {
  const dataDir = createTemporaryDirectory();
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  await database.migrate();
  return { database, path: join(dataDir, "sluice.db") };
}

const readStates = async ({ kysely }: Database): Promise<string[]> =>
  (await kysely.selectFrom("requests").select(["id", "state"]).orderBy("id").execute()).map(
    ({ id, state }) => `${id} ${state}`,
  );

test("quarantines no row while the database is locked, and writes all rows once it is unlocked", async () => {
  const { database, path } = await openDatabaseFile();
  onTestFinished(() => database.close());
  const { journal, writer, refused, health } = startBatchWriter((rows) => writeRequests(database, rows));
  const other = new DatabaseSync(path);
  onTestFinished(() => other.close());
  other.exec("begin immediate");
  writer.enqueue(createEndedEntry("1", journal));
  writer.enqueue(createEndedEntry("2", journal));
  await waitUntil(() => !writer.isHealthy, "the failed write");
  await waitUntil(() => journal.hasSpilled, "the rows in the journal");
  // The writer now retries rows from the journal. These retries fail too, and must not report the outage again.
  const failedAt = health.length;
  writer.enqueue(createEndedEntry("3", journal));
  await waitUntil(async () => (await database.isReachable()) && !writer.isHealthy, "the database to respond");
  expect([failedAt, refused]).toEqual([1, []]);
  other.exec("rollback");
  await waitUntil(async () => (await readStates(database)).length === 3, "all rows");
  expect(await readStates(database)).toEqual(["1 settled", "2 settled", "3 settled"]);
  await waitUntil(() => writer.isHealthy, "the writer to be healthy");
  expect([refused, health]).toEqual([[], [false, true]]);
}, 60_000);

test("quarantines no row while the table does not exist", async () => {
  const dataDir = createTemporaryDirectory();
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  onTestFinished(() => database.close());
  const { journal, writer, refused } = startBatchWriter((rows) => writeRequests(database, rows));
  let failures = 0;
  const counting = startBatchWriter(async (rows) => {
    await writeRequests(database, rows).catch((error: unknown) => {
      failures++;
      throw error;
    });
  });
  writer.enqueue(createEndedEntry("1", journal));
  counting.writer.enqueue(createEndedEntry("2", counting.journal));
  // The first failure is the write of the batch, the second is the replay of the journal.
  await waitUntil(() => failures === 2, "two failed writes");
  await database.migrate();
  await waitUntil(async () => (await readStates(database)).length === 2, "both rows");
  expect([refused, counting.refused]).toEqual([[], []]);
}, 60_000);

test("quarantines an invalid row at once, writes the other rows and stays healthy", async () => {
  const { database } = await openDatabaseFile();
  onTestFinished(() => database.close());
  const { journal, writer, refused, health } = startBatchWriter((rows) =>
    writeRequests(
      database,
      rows.map((row) => (row.id === "5" ? ({ ...row, key_id: null } as unknown as RequestRow) : row)),
    ),
  );
  for (let id = 0; id < 9; id++) writer.enqueue(createEndedEntry(String(id), journal));
  const open = beginEntry("x", journal);
  writer.enqueue(open);
  await waitUntil(async () => (await readStates(database)).length === 9, "the other rows");
  expect([refused, health]).toEqual([["5"], []]);
  const quarantined = readFileSync(join(journal.directory, "me.refused"), "utf8");
  expect(JSON.parse(quarantined)).toMatchObject(["row", { id: "5", state: "settled" }]);
  expect(await readStates(database)).toContain("x open");
  writer.enqueue(open);
  open.end(createEndedContext());
});
