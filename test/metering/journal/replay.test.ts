import { readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ENTRY, type JournalEntry } from "../../../src/metering/journal/format.ts";
import { Journal } from "../../../src/metering/journal/journal.ts";
import { createOpenRow } from "../../../src/metering/request-row.ts";
import { RELAYED_ENDPOINTS } from "../../../src/endpoints/relayed-endpoints.ts";
import { addChecksum, listSegments, recover, writeDeadJournal } from "../../support/journal.ts";
import { writeRequests } from "../../../src/metering/sql/upsert.ts";
import { createStartEntry } from "../../support/request-context.ts";
import { createTemporaryDirectory } from "../../support/temporary-directory.ts";
import { openTestDatabase } from "../../support/test-database.ts";
import { waitFor } from "../../support/wait.ts";

test("joins the segments of a dead process in the order of their numbers", async () => {
  const directory = createTemporaryDirectory();
  writeDeadJournal(
    directory,
    "dead.2.jsonl",
    [ENTRY.start, createStartEntry("1")],
    [ENTRY.start, createStartEntry("2")],
  );
  writeDeadJournal(directory, "dead.10.jsonl", [
    ENTRY.head,
    createStartEntry("1"),
    { status: 200, generationId: "gen-1" },
  ]);
  writeDeadJournal(directory, "dead.11.jsonl", [
    ENTRY.row,
    { ...createOpenRow(createStartEntry("2"), "dead"), state: "settled" },
  ]);
  const { rows, found } = await recover(directory);
  expect(found).toEqual({ instances: 1, rows: 2, damagedLines: 0 });
  expect(rows.map(({ id, state }) => `${id} ${state}`).toSorted()).toEqual(["1 pending", "2 settled"]);
  expect(rows.find(({ id }) => id === "1")).toMatchObject({
    instance: "dead",
    generation_id: "gen-1",
    outcome: "interrupted",
    status: 200,
  });
  expect(readdirSync(directory)).toEqual([]);
});

test("deletes a lock without a journal once it is a minute old", async () => {
  const directory = createTemporaryDirectory();
  for (const name of ["old.lock", "old.lock-journal", "new.lock"]) writeFileSync(join(directory, name), "");
  const then = (Date.now() - 61_000) / 1_000;
  utimesSync(join(directory, "old.lock"), then, then);
  expect((await recover(directory)).found).toEqual({ instances: 0, rows: 0, damagedLines: 0 });
  expect(readdirSync(directory)).toEqual(["new.lock"]);
});

test("prefers a row to the head and the start of its request, in any order of the lines", async () => {
  const directory = createTemporaryDirectory();
  const row = {
    ...createOpenRow(createStartEntry("1"), "dead"),
    state: "settled" as const,
    cost_nanodollars: 5,
  };
  const head: JournalEntry = [ENTRY.head, createStartEntry("1"), { status: 200, generationId: "gen-1" }];
  writeDeadJournal(directory, "dead.1.jsonl", [ENTRY.row, row], [ENTRY.start, createStartEntry("1")], head);
  expect((await recover(directory)).rows).toEqual([row]);
});

test("recovers the journals of all dead processes, but neither those of live processes nor its own", async () => {
  const directory = createTemporaryDirectory();
  writeDeadJournal(directory, "a.1.jsonl", [ENTRY.start, createStartEntry("1")]);
  writeDeadJournal(directory, "b.1.jsonl", [ENTRY.start, createStartEntry("2")]);
  writeDeadJournal(directory, "own.1.jsonl", [ENTRY.start, createStartEntry("3")]);
  const live = new Journal(directory, "live", 1_000_000);
  const recorded = Promise.withResolvers<Error | undefined>();
  live.recordStart(createStartEntry("4"), recorded.resolve);
  expect(await waitFor(recorded.promise, "the line to be written")).toBeUndefined();
  const { rows, found } = await recover(directory);
  expect(rows.map(({ id }) => id).toSorted()).toEqual(["1", "2"]);
  expect(found.instances).toBe(2);
  const left = listSegments(directory);
  expect(left).toEqual(["live.1.jsonl", "own.1.jsonl"]);
  live.close();
});

test("recovers each row once when two processes recover at the same time", async () => {
  const directory = createTemporaryDirectory();
  writeDeadJournal(directory, "dead.1.jsonl", [ENTRY.start, createStartEntry("1")]);
  const found = await Promise.all([recover(directory, "x"), recover(directory, "y")]);
  expect(found.flatMap(({ rows }) => rows)).toHaveLength(1);
});

test("recovers a request without a generation id as unknown, whatever its status", async () => {
  const directory = createTemporaryDirectory();
  const statuses = [400, 402, 429, 500, 503, 504, 524, 200];
  const ids = [...statuses.map(String), "none"];
  const starts = ids.map((id): JournalEntry => [ENTRY.start, createStartEntry(id)]);
  const heads = statuses.map((status): JournalEntry => [
    ENTRY.head,
    createStartEntry(`${status}`),
    { status, generationId: undefined },
  ]);
  writeDeadJournal(directory, "dead.1.jsonl", ...starts, ...heads);
  const { rows } = await recover(directory);
  const costs = rows.map(({ id, state, cost_nanodollars, cost_source }) => [
    id,
    state,
    cost_nanodollars,
    cost_source,
  ]);
  expect(costs).toEqual(ids.map((id) => [id, "unknown", null, "unknown"]));
});

test.each([
  "null",
  "5",
  "{}",
  "[]",
  '"text"',
  '["start"]',
  JSON.stringify([ENTRY.start, createStartEntry("9")]),
  "\0\0",
  ...["[", '["start"', '["start",null', '["row",{}', '["head",{"id":"9"}', '["other",{"id":"9"}'].map(
    addChecksum,
  ),
])(
  "counts the line %j as damaged, recovers the other lines, and keeps the file for inspection",
  async (line) => {
    const directory = createTemporaryDirectory();
    writeDeadJournal(directory, "dead.1.jsonl", [ENTRY.start, createStartEntry("1")], line, [
      ENTRY.start,
      createStartEntry("2"),
    ]);
    writeDeadJournal(directory, "dead.2.jsonl", [ENTRY.start, createStartEntry("3")]);
    const { rows, found } = await recover(directory);
    expect(rows.map(({ id }) => id)).toEqual(["1", "2", "3"]);
    expect(found.damagedLines).toBe(1);
    expect(readdirSync(directory)).toEqual(["dead.1.jsonl.damaged"]);
    expect(readFileSync(join(directory, "dead.1.jsonl.damaged"), "utf8")).toContain(line);
    expect((await recover(directory)).found.instances).toBe(0);
  },
);

test("keeps the endpoint and the session of each request", async () => {
  const directory = createTemporaryDirectory();
  const starts = RELAYED_ENDPOINTS.flatMap(({ path: endpoint }) =>
    [null, "s-1", "=1\t\u2028<script>"].map((session, index) =>
      createStartEntry(`${endpoint}-${index}`, { endpoint, session }),
    ),
  );
  const entries = starts.map((startEntry, index): JournalEntry => {
    if (index % 3 === 0) return [ENTRY.start, startEntry];
    if (index % 3 === 1) return [ENTRY.head, startEntry, { status: 200, generationId: `gen-${index}` }];
    return [ENTRY.row, { ...createOpenRow(startEntry, "dead"), state: "settled" }];
  });
  writeDeadJournal(directory, "dead.1.jsonl", ...entries);
  const { rows } = await recover(directory);
  const listOrigins = (from: readonly { id: string; endpoint: string; session: string | null }[]) =>
    from.map(({ id, endpoint, session }) => [id, endpoint, session].join(" ")).toSorted();
  expect(listOrigins(rows)).toEqual(listOrigins(starts));
});

test("recovers entries of a version without endpoints and sessions as chat completions", async () => {
  const directory = createTemporaryDirectory();
  const { endpoint: _endpoint, session: _session, ...startEntry } = createStartEntry("1");
  const {
    endpoint: _rowEndpoint,
    session: _rowSession,
    ...row
  } = createOpenRow(createStartEntry("3"), "dead");
  const head = { status: 200, generationId: "gen-2" };
  writeDeadJournal(
    directory,
    "dead.1.jsonl",
    addChecksum(JSON.stringify([ENTRY.start, startEntry]).slice(0, -1)),
    addChecksum(JSON.stringify([ENTRY.head, { ...startEntry, id: "2" }, head]).slice(0, -1)),
    addChecksum(JSON.stringify([ENTRY.row, { ...row, state: "settled" }]).slice(0, -1)),
  );
  const { rows } = await recover(directory);
  expect(rows.map(({ id, endpoint, session }) => `${id} ${endpoint} ${session}`).toSorted()).toEqual(
    ["1", "2", "3"].map((id) => `${id} chat/completions null`),
  );
  const database = await openTestDatabase();
  expect(await writeRequests(database, rows)).toHaveLength(3);
});
