import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { OrphanRecoveryOptions } from "../../src/metering/orphan-recovery.ts";
import { Journal } from "../../src/metering/journal/journal.ts";
import { ENTRY, type JournalEntry } from "../../src/metering/journal/format.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { writeDeadJournal } from "../support/journal.ts";
import { createRequestRow } from "../support/request-row.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { HOUR_MS } from "../../src/durations.ts";
import { startOrphanRecovery, readStates } from "../support/orphan-recovery.ts";
import { createStartEntry } from "../support/request-context.ts";

test("reports a request as unknown only if the database has no final row for it", async () => {
  const { database, directory, orphanRecovery, unknown } = await startOrphanRecovery();
  // The start lines of finished requests stay in the journal while another request of their segment is open.
  await writeRequests(database, [
    createRequestRow("never-sent", { state: "settled", cost_nanodollars: 0, cost_source: "none" }),
    createRequestRow("known", { state: "unknown" }),
    createRequestRow("open"),
  ]);
  writeDeadJournal(
    directory,
    "dead.1.jsonl",
    ...["never-sent", "known", "open", "new"].map((id): JournalEntry => [ENTRY.start, createStartEntry(id)]),
  );
  await orphanRecovery.runOnce();
  expect(unknown).toEqual(["open", "new"]);
  expect(await readStates(database)).toEqual([
    "known unknown",
    "never-sent settled",
    "new unknown",
    "open unknown",
  ]);
});

test("recovers the other rows of a journal, and other journals, despite an invalid row", async () => {
  const { database, directory, orphanRecovery, refused, recovered, failures } = await startOrphanRecovery();
  const bad = { ...createRequestRow("bad", { state: "settled" }), key_name: null } as unknown as RequestRow;
  writeDeadJournal(
    directory,
    "a.1.jsonl",
    [ENTRY.start, createStartEntry("1")],
    [ENTRY.row, bad],
    [ENTRY.start, createStartEntry("2")],
  );
  writeDeadJournal(directory, "b.1.jsonl", [ENTRY.start, createStartEntry("3")]);
  await orphanRecovery.runOnce();
  expect(await readStates(database)).toEqual(["1 unknown", "2 unknown", "3 unknown"]);
  expect([refused, failures]).toEqual([["bad"], []]);
  expect(recovered).toMatchObject([{ instances: 2 }]);
  expect(readdirSync(directory)).toEqual([]);
});

test("recovers other journals and the rows of lost disks despite an unreadable journal", async () => {
  const { database, directory, orphanRecovery, clock, unknown, failures } = await startOrphanRecovery();
  const { started_at } = createRequestRow("lost", { started_at: Date.now() - 2 * HOUR_MS });
  await writeRequests(database, [createRequestRow("lost", { instance: "gone", started_at })]);
  writeDeadJournal(directory, "a.1.jsonl", [ENTRY.start, createStartEntry("1")]);
  // A file that is not a SQLite database cannot be locked.
  writeFileSync(join(directory, "a.lock"), "x".repeat(4_096));
  writeDeadJournal(directory, "b.1.jsonl", [ENTRY.start, createStartEntry("2")]);
  clock.now += 60_000;
  await orphanRecovery.runOnce();
  expect(await readStates(database)).toEqual(["2 unknown", "lost unknown"]);
  expect(unknown).toEqual(["2", "lost"]);
  expect(failures.length).toBeGreaterThan(0);
  expect(readdirSync(directory)).toEqual(["a.1.jsonl", "a.lock"]);
});

test("ten processes that recover one directory at once take over each request once, without an error", async () => {
  const database = await openTestDatabase();
  const directory = createTemporaryDirectory();
  for (let journal = 0; journal < 20; journal++)
    writeDeadJournal(directory, `dead${journal}.1.jsonl`, [ENTRY.start, createStartEntry(`${journal}`)]);
  const all = await Promise.all(
    Array.from({ length: 10 }, (_, number) =>
      startOrphanRecovery({ database, directory, instance: `me${number}` }),
    ),
  );
  await Promise.all(all.map(({ orphanRecovery }) => orphanRecovery.runOnce()));
  expect(all.flatMap(({ failures }) => failures)).toEqual([]);
  expect(all.flatMap(({ unknown }) => unknown)).toHaveLength(20);
  expect(await readStates(database)).toHaveLength(20);
  expect(readdirSync(directory)).toEqual([]);
});

test("does not recover the journal of a live process", async () => {
  const { database, directory, orphanRecovery } = await startOrphanRecovery();
  const journal = new Journal(directory, "alive", 1_000_000);
  onTestFinished(() => journal.close());
  journal.recordStart(createStartEntry("1"), () => {});
  journal.spill([createRequestRow("2", { state: "settled" })]);
  await orphanRecovery.runOnce();
  expect(await readStates(database)).toEqual([]);
});

test("writes a large journal to the database in batches of at most 500 rows", async () => {
  const directory = createTemporaryDirectory();
  const entries = Array.from({ length: 5_000 }, (_, id): JournalEntry[] => [
    [ENTRY.start, createStartEntry(`${id}`)],
    [ENTRY.head, createStartEntry(`${id}`), { status: 200, generationId: `gen-${id}` }],
    [ENTRY.row, createRequestRow(`${id}`, { state: "settled" })],
  ]).flat();
  writeDeadJournal(directory, "dead.1.jsonl", ...entries, [ENTRY.start, createStartEntry("x")]);
  const sizes: number[] = [];
  const write: OrphanRecoveryOptions["write"] = (rows: readonly RequestRow[]) => {
    sizes.push(rows.length);
    return Promise.resolve(rows);
  };
  const { orphanRecovery, recovered } = await startOrphanRecovery({ directory, write });
  await orphanRecovery.runOnce();
  expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
  expect(recovered).toEqual([{ instances: 1, rows: 5_001, damagedLines: 0 }]);
});

test("skips and counts journal rows that are older than the retention cutoff, and does not sum them again", async () => {
  const { database, directory, orphanRecovery, expired, recovered, unknown } = await startOrphanRecovery({
    readRetentionCutoff: () => Promise.resolve(1_000),
  });
  const settled = (id: string, started_at: number): JournalEntry => [
    ENTRY.row,
    createRequestRow(id, { state: "settled", cost_nanodollars: 7, started_at }),
  ];
  writeDeadJournal(
    directory,
    "dead.1.jsonl",
    settled("a", 999),
    settled("b", 1_000),
    [ENTRY.start, { ...createStartEntry("c"), started_at: 0 }],
    [ENTRY.start, { ...createStartEntry("d"), started_at: 1_001 }],
  );
  await orphanRecovery.runOnce();
  expect(await readStates(database)).toEqual(["b settled", "d unknown"]);
  expect(expired.reduce((sum, count) => sum + count)).toBe(2);
  expect([recovered, unknown]).toEqual([[{ instances: 1, rows: 2, damagedLines: 0 }], ["d"]]);
  const sums = await database.kysely.selectFrom("rollups").selectAll().execute();
  expect(sums.reduce((sum, { requests }) => sum + requests, 0)).toBe(2);
  expect(readdirSync(directory)).toEqual([]);
});
