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
  expect(await waitFor(promise, "the line to be kept")).toBeUndefined();
  return segment;
};

test("a line is on the disk when it is said to be kept", async () => {
  const directory = createTemporaryDirectory();
  const journal = new Journal(directory, "me", 1_000_000);
  const { path } = await begin(journal, "1");
  expect(readFileSync(path, "utf8")).toContain('"start"');
  journal.close();
});

test("a segment is deleted when nothing in it is needed any more, and not before", async () => {
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

test("a journal that is as long as it may be lets nothing begin, until there is room again", async () => {
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

test("a journal that is in use is nobody else's, and is not recovered", async () => {
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
    "has a generation",
    [[ENTRY.head, createStartEntry("1"), { status: 200, generationId: "gen-1" }]],
    { state: "pending", generation_id: "gen-1" },
  ],
  [
    "has only a status",
    [[ENTRY.head, createStartEntry("1"), { status: 429, generationId: undefined }]],
    { state: "unknown", cost_source: "unknown" },
  ],
  [
    "was finished",
    [[ENTRY.row, { ...createOpenRow(createStartEntry("1"), "x"), state: "settled" }]],
    { state: "settled" },
  ],
])("a request of a dead process that %s ends accordingly", async (_, lines, expected) => {
  const directory = createTemporaryDirectory();
  writeDeadJournal(directory, "dead.1.jsonl", [ENTRY.start, createStartEntry("1")], ...lines);
  const { rows } = await recover(directory);
  expect(rows).toEqual([expect.objectContaining(expected)]);
  expect(listSegments(directory)).toEqual([]);
});

test("lines that cannot be read are counted, and their file is kept for a person to look at", async () => {
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

test("a journal stays when its rows cannot be written", async () => {
  const directory = createTemporaryDirectory();
  writeDeadJournal(directory, "dead.1.jsonl", [ENTRY.start, createStartEntry("1")]);
  const down = () => Promise.reject(new Error("down"));
  await expect(recoverJournals(directory, "own", down)).rejects.toThrow("down");
  expect((await recover(directory)).rows).toHaveLength(1);
});

test("a row that fills its segment stays, also when nobody else needs the segment", () => {
  const journal = new Journal(createTemporaryDirectory(), "me", 1_073_741_824);
  journal.spill([createOpenRow({ ...createStartEntry("1"), requested_model: "x".repeat(16_777_216) }, "me")]);
  const [segment] = journal.takeSpilled();
  expect(segment?.sizeBytes).toBeGreaterThan(16_777_216);
  expect(readFileSync(segment?.path ?? "", "utf8")).toContain('["row",{"id":"1"');
  if (segment) journal.markReplayed(segment);
  expect(existsSync(segment?.path ?? "")).toBe(false);
  journal.close();
});

test("as soon as nothing is under way the journal holds nothing that another process could take over once more", async () => {
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

test("a segment takes no request that begins ten minutes after it did, so that it goes when its last one ends", async () => {
  const journal = new Journal(createTemporaryDirectory(), "me", 1_073_741_824);
  const openAt = (id: string, started_at: number) =>
    journal.recordStart({ ...createStartEntry(id), started_at }, () => {});
  const first = openAt("1", Date.now());
  expect(openAt("2", first.createdAt + 600_000)).toBe(first);
  const second = openAt("3", first.createdAt + 600_001);
  expect(second).not.toBe(first);
  for (let live = 0; live < 2; live++) journal.release(first);
  expect([existsSync(first.path), existsSync(second.path)]).toEqual([false, true]);
  journal.release(second);
  journal.close();
});

test("the head of a request is kept as long as its beginning, also in a later segment", async () => {
  const directory = createTemporaryDirectory();
  const journal = new Journal(directory, "me", 1_000_000);
  await begin(journal, "1");
  journal.spill([createOpenRow(createStartEntry("2"), "me")]);
  for (const spilled of journal.takeSpilled()) journal.markReplayed(spilled);
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  journal.recordHead(createStartEntry("1"), { status: 200, generationId: "gen-1" }, resolve);
  await waitFor(promise, "the head to be kept");
  journal.close();
  const { rows } = await recover(directory);
  expect(rows.find(({ id }) => id === "1")).toMatchObject({ state: "pending", generation_id: "gen-1" });
});
