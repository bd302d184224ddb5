import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ENTRY, type JournalEntry } from "../../../src/metering/journal/format.ts";
import { Journal, JournalFull } from "../../../src/metering/journal/journal.ts";
import { recoverJournals } from "../../../src/metering/journal/replay.ts";
import type { RequestRow } from "../../../src/metering/record.ts";
import { createOpenRow } from "../../../src/metering/request-row.ts";
import { listSegments, recover, writeDeadJournal } from "../../support/journal.ts";
import { createStartEntry } from "../../support/request-context.ts";
import { createTemporaryDirectory } from "../../support/temporary-directory.ts";
import { waitFor } from "../../support/wait.ts";

const begin = async (journal: Journal, id: string) => {
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  const segment = journal.recordStart(createStartEntry(id), resolve);
  expect(await waitFor(promise, "the line to be written")).toBeUndefined();
  return segment;
};

test("calls back when the line is on disk", async () => {
  const directory = createTemporaryDirectory();
  const journal = new Journal(directory, "me", 1_000_000);
  const { path } = await begin(journal, "1");
  expect(readFileSync(path, "utf8")).toContain('"start"');
  journal.close();
});

test("deletes a segment when its last entry is released, and not before", async () => {
  const directory = createTemporaryDirectory();
  const journal = new Journal(directory, "me", 1_000_000);
  const first = await begin(journal, "1");
  await begin(journal, "2");
  journal.spill([createOpenRow(createStartEntry("3"), "me")]);
  expect(journal.takeSpilled()).toEqual([first]);
  journal.release(first);
  journal.markReplayed(first);
  expect(existsSync(first.path)).toBe(true);
  journal.release(first);
  expect(existsSync(first.path)).toBe(false);
  journal.close();
  expect(readdirSync(directory)).toEqual([]);
});

test("rejects new requests while the journal is full, until there is room again", async () => {
  const journal = new Journal(createTemporaryDirectory(), "me", 100);
  const segment = await begin(journal, "1");
  expect(() => journal.recordStart(createStartEntry("2"), () => {})).toThrow(JournalFull);
  journal.spill([]);
  journal.release(segment);
  journal.spill([createOpenRow(createStartEntry("3"), "me")]);
  for (const spilled of journal.takeSpilled()) journal.markReplayed(spilled);
  await begin(journal, "2");
  journal.close();
});

test("neither opens nor recovers a journal that another process uses", async () => {
  const directory = createTemporaryDirectory();
  const journal = new Journal(directory, "me", 1_000_000);
  await begin(journal, "1");
  expect(() => new Journal(directory, "me", 1_000_000)).toThrow("another");
  expect((await recover(directory)).rows).toEqual([]);
  journal.close();
  expect((await recover(directory)).rows).toHaveLength(1);
  expect(readdirSync(directory)).toEqual([]);
});

test.each<[string, JournalEntry[], Partial<RequestRow>]>([
  ["had no head", [], { state: "unknown", cost_source: "unknown", generation_id: null }],
  [
    "has a generation id",
    [[ENTRY.head, createStartEntry("1"), { status: 200, generationId: "gen-1" }]],
    { state: "pending", generation_id: "gen-1" },
  ],
  [
    "has a status but no generation id",
    [[ENTRY.head, createStartEntry("1"), { status: 429, generationId: undefined }]],
    { state: "unknown", cost_source: "unknown" },
  ],
  [
    "has a final row",
    [[ENTRY.row, { ...createOpenRow(createStartEntry("1"), "x"), state: "settled" }]],
    { state: "settled" },
  ],
])("recovers the right state for a request of a dead process that %s", async (_, lines, expected) => {
  const directory = createTemporaryDirectory();
  writeDeadJournal(directory, "dead.1.jsonl", [ENTRY.start, createStartEntry("1")], ...lines);
  const { rows } = await recover(directory);
  expect(rows).toEqual([expect.objectContaining(expected)]);
  expect(listSegments(directory)).toEqual([]);
});

test("counts unreadable lines and keeps their file for inspection", async () => {
  const directory = createTemporaryDirectory();
  writeDeadJournal(directory, "dead.1.jsonl", [ENTRY.start, createStartEntry("1")], '["start",{"id":"2"', [
    ENTRY.start,
    createStartEntry("3"),
  ]);
  appendFileSync(join(directory, "dead.1.jsonl"), '["he');
  const { rows, found } = await recover(directory);
  expect([rows.length, found.damagedLines]).toEqual([2, 2]);
  expect(readdirSync(directory)).toEqual(["dead.1.jsonl.damaged"]);
});

test("keeps a journal when the database fails to write its rows", async () => {
  const directory = createTemporaryDirectory();
  writeDeadJournal(directory, "dead.1.jsonl", [ENTRY.start, createStartEntry("1")]);
  const down = () => Promise.reject(new Error("down"));
  await expect(
    recoverJournals(directory, "own", { write: down, onComplete: () => Promise.resolve() }),
  ).rejects.toThrow("down");
  expect((await recover(directory)).rows).toHaveLength(1);
});

test("keeps a segment that one spilled row fills, even when the segment has no other entry", () => {
  const journal = new Journal(createTemporaryDirectory(), "me", 1_073_741_824);
  journal.spill([createOpenRow({ ...createStartEntry("1"), requested_model: "x".repeat(16_777_216) }, "me")]);
  const [segment] = journal.takeSpilled();
  expect(segment?.sizeBytes).toBeGreaterThan(16_777_216);
  expect(readFileSync(segment?.path ?? "", "utf8")).toContain('["row",{"id":"1"');
  if (segment) journal.markReplayed(segment);
  expect(existsSync(segment?.path ?? "")).toBe(false);
  journal.close();
});

test("deletes the current segment as soon as no request is in flight", async () => {
  const directory = createTemporaryDirectory();
  const journal = new Journal(directory, "me", 1_073_741_824);
  const segment = await begin(journal, "1");
  expect(await begin(journal, "2")).toBe(segment);
  journal.release(segment);
  expect(listSegments(directory)).toHaveLength(1);
  journal.release(segment);
  expect(listSegments(directory)).toEqual([]);
  await begin(journal, "3");
  expect(listSegments(directory)).toHaveLength(1);
  journal.close();
});

test("adds no request to a segment that is older than ten minutes, and deletes the segment when its last request ends", async () => {
  const journal = new Journal(createTemporaryDirectory(), "me", 1_073_741_824);
  const startAt = (id: string, started_at: number) =>
    journal.recordStart({ ...createStartEntry(id), started_at }, () => {});
  const first = startAt("1", Date.now());
  expect(startAt("2", first.createdAt + 600_000)).toBe(first);
  const second = startAt("3", first.createdAt + 600_001);
  expect(second).not.toBe(first);
  for (let live = 0; live < 2; live++) journal.release(first);
  expect([existsSync(first.path), existsSync(second.path)]).toEqual([false, true]);
  journal.release(second);
  journal.close();
});

test("keeps the head of a request as long as its start line, even when the head is in a later segment", async () => {
  const directory = createTemporaryDirectory();
  const journal = new Journal(directory, "me", 1_000_000);
  await begin(journal, "1");
  journal.spill([createOpenRow(createStartEntry("2"), "me")]);
  for (const spilled of journal.takeSpilled()) journal.markReplayed(spilled);
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  journal.recordHead(createStartEntry("1"), { status: 200, generationId: "gen-1" }, resolve);
  await waitFor(promise, "the head to be written");
  journal.close();
  const { rows } = await recover(directory);
  expect(rows.find(({ id }) => id === "1")).toMatchObject({ state: "pending", generation_id: "gen-1" });
});
