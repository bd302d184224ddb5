import { expect, onTestFinished, test } from "vitest";
import type { StartEntry } from "../../src/metering/journal/format.ts";
import { Journal, type Segment } from "../../src/metering/journal/journal.ts";
import { createOpenRow } from "../../src/metering/request-row.ts";
import { createQuarantiningWriter } from "../../src/metering/quarantining-writer.ts";
import { type PendingRow, BatchWriter } from "../../src/metering/batch-writer.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";

/** A request as the writer sees it, which counts how often the writer releases it. */
class Request implements PendingRow {
  readonly #journal: Journal;
  readonly segment: Segment;
  readonly #row: RequestRow;
  hasEnded = false;
  isQueued = false;
  readonly startedAt: number;

  constructor(id: string, journal: Journal, startedAt = 0) {
    const names = {
      request_id: id,
      key_id: "k",
      key_name: "k",
      endpoint: "chat/completions",
      session: null,
      group_id: null,
      end_user: null,
      reserved_nanodollars: null,
      reserved_in: null,
      requested_model: null,
      forwarded_model: null,
    };
    const startEntry: StartEntry = { id, ...names, stream: 0, bytes_in: 0, started_at: startedAt };
    this.#journal = journal;
    this.startedAt = startedAt;
    this.segment = journal.recordStart(startEntry, () => {});
    this.#row = createOpenRow(startEntry, "me");
  }

  toRow(): RequestRow {
    return { ...this.#row };
  }

  released = 0;

  takeReservation(): undefined {
    return undefined;
  }

  release(): void {
    this.released++;
    this.#journal.release(this.segment);
  }

  end(): this {
    this.hasEnded = true;
    this.#row.state = "settled";
    return this;
  }
}

/** The error that the database throws for an invalid row. */
class InvalidRow extends Error {}

function start(write: (rows: readonly RequestRow[]) => Promise<void>) {
  const journal = new Journal(createTemporaryDirectory(), "me", 1_000_000);
  const health: boolean[] = [];
  const quarantined: string[] = [];
  const damaged: number[] = [];
  const writer = new BatchWriter({
    journal,
    write: createQuarantiningWriter({
      write: (rows) => write(rows).then(() => rows),
      isInvalidRow: (error) => error instanceof InvalidRow,
      quarantine: ({ id }) => quarantined.push(id),
    }),
    isJournalPersistent: true,
    onDamagedLines: (count) => damaged.push(count),
    onHealth: (healthy) => health.push(healthy),
  });
  onTestFinished(() => journal.close());
  return { journal, writer, health, quarantined, damaged };
}

/** Creates a table that keeps the last version of every row. */
function createTable() {
  const rows = new Map<string, RequestRow>();
  const store = (some: readonly RequestRow[]): Promise<void> => {
    for (const row of some) rows.set(row.id, row);
    return Promise.resolve();
  };
  return { rows, store };
}

test("writes the row of an ended request and releases its segment", async () => {
  const { rows, store } = createTable();
  const { journal, writer } = start(store);
  const request = new Request("1", journal).end();
  writer.enqueue(request);
  await waitUntil(() => rows.get("1")?.state === "settled", "the row");
  await waitUntil(() => request.segment.liveEntries === 0, "the segment to be released");
  expect(writer.isHealthy).toBe(true);
});

test("writes a request again, and keeps its segment, when the request ends while its open row is written", async () => {
  const { rows, store } = createTable();
  const { promise: slow, resolve: endWrite } = Promise.withResolvers<void>();
  let writes = 0;
  const { journal, writer } = start(async (some) => {
    writes++;
    await slow;
    await store(some);
  });
  const request = new Request("1", journal);
  writer.enqueue(request);
  const closing = writer.close();
  await waitUntil(() => writes === 1, "the write to begin");
  writer.enqueue(request.end());
  endWrite();
  await closing;
  expect([rows.get("1")?.state, request.segment.liveEntries]).toEqual(["open", 1]);
  await writer.close();
  expect([rows.get("1")?.state, request.segment.liveEntries]).toEqual(["settled", 0]);
});

test("spills rows to the journal while the database fails, and writes them when the database recovers", async () => {
  const { rows, store } = createTable();
  let down = true;
  const { journal, writer, health } = start((some) =>
    down ? Promise.reject(new Error("down")) : store(some),
  );
  writer.enqueue(new Request("1", journal).end());
  await waitUntil(() => journal.hasSpilled, "the row in the journal");
  writer.enqueue(new Request("2", journal).end());
  expect(writer.isHealthy).toBe(false);
  expect(writer.waitingRows).toBe(2);
  down = false;
  await waitUntil(() => rows.size === 2, "both rows");
  await waitUntil(() => writer.isHealthy, "the writer to be healthy");
  expect(health).toEqual([false, true]);
  expect(journal.hasSpilled).toBe(false);
  expect(writer.waitingRows).toBe(0);
});

test("counts only the rows of ended requests as waiting", async () => {
  const { rows, store } = createTable();
  const { journal, writer } = start(store);
  const request = new Request("1", journal, Date.now() + 60_000);
  writer.enqueue(request);
  expect(writer.waitingRows).toBe(0);
  request.end();
  expect(writer.waitingRows).toBe(1);
  await waitUntil(() => rows.size === 1, "the row");
  await waitUntil(() => writer.waitingRows === 0, "no row to wait");
});

test("writes a row that is queued while a write hangs", async () => {
  const { rows, store } = createTable();
  const { promise: slow, resolve: endWrite } = Promise.withResolvers<void>();
  const { journal, writer } = start(async (some) => {
    await slow;
    await store(some);
  });
  writer.enqueue(new Request("1", journal).end());
  const closing = writer.close();
  writer.enqueue(new Request("2", journal).end());
  endWrite();
  await closing;
  await waitUntil(() => rows.size === 2, "both rows");
  expect(writer.isHealthy).toBe(true);
});

test("writes and releases a request once when the request ends while its row waits after a failed write", async () => {
  const { rows, store } = createTable();
  let down = true;
  const { journal, writer } = start((some) => {
    const ids = some.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    return down ? Promise.reject(new Error("down")) : store(some);
  });
  const [first, second] = [new Request("1", journal), new Request("2", journal)];
  writer.enqueue(first);
  await waitUntil(() => !writer.isHealthy, "the failed write");
  writer.enqueue(first.end());
  down = false;
  await waitUntil(() => rows.get("1")?.state === "settled", "the row");
  expect(second.segment.liveEntries).toBe(1);
});

test("retries the row of an open request after a failed write", async () => {
  const { rows, store } = createTable();
  let down = true;
  const { journal, writer } = start((some) => (down ? Promise.reject(new Error("down")) : store(some)));
  writer.enqueue(new Request("1", journal));
  await waitUntil(() => !writer.isHealthy, "the failed write");
  down = false;
  await waitUntil(() => rows.size > 0, "the row");
  expect(rows.get("1")?.state).toBe("open");
});

test("writes and releases a request once when the request ends during a write that fails", async () => {
  const { promise: failing, reject: fail } = Promise.withResolvers<void>();
  const writes: string[] = [];
  const { journal, writer } = start(async (some) => {
    writes.push(...some.map(({ id, state }) => `${id} ${state}`));
    if (writes.length === 1) await failing;
  });
  const request = new Request("1", journal);
  writer.enqueue(request);
  await waitUntil(() => writes.length === 1, "the write to begin");
  writer.enqueue(request.end());
  fail(new Error("down"));
  await waitUntil(() => writer.isHealthy && writes.length > 1, "the next write");
  await writer.close();
  expect([writes, request.released]).toEqual([["1 open", "1 settled"], 1]);
});

test("quarantines a row that the database rejects, and writes the others", async () => {
  const { rows, store } = createTable();
  const { journal, writer, quarantined } = start((some) =>
    some.some(({ id }) => id === "bad") ? Promise.reject(new InvalidRow("invalid")) : store(some),
  );
  for (const id of ["1", "bad", "2"]) writer.enqueue(new Request(id, journal).end());
  await waitUntil(() => rows.size === 2, "the valid rows");
  expect([...rows.keys(), ...quarantined].toSorted()).toEqual(["1", "2", "bad"]);
});

test("leaves every ended request in the journal when the writer closes while the database fails", async () => {
  const { journal, writer } = start(() => Promise.reject(new Error("down")));
  writer.enqueue(new Request("1", journal).end());
  await writer.close();
  expect(journal.hasSpilled).toBe(true);
});
