import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import type { RequestRow } from "../../src/metering/record.ts";
import { waitUntil } from "../support/wait.ts";
import { createEndedContext } from "../support/request-context.ts";
import { beginEntry, createEndedEntry, startBatchWriter } from "../support/batch-writer.ts";

/** Returns the content of all segments of a journal. */
const readSegments = (directory: string): string =>
  readdirSync(directory)
    .filter((name) => name.endsWith(".jsonl"))
    .map((name) => readFileSync(join(directory, name), "utf8"))
    .join("");

test("keeps a row in memory and retries the write while both the database and the journal fail", async () => {
  const rows = new Map<string, RequestRow>();
  let down = true;
  const { journal, writer } = startBatchWriter((some) => {
    if (down) return Promise.reject(new Error("down"));
    for (const row of some) rows.set(row.id, row);
    return Promise.resolve();
  });
  const entry = createEndedEntry("1", journal);
  journal.isFull = true;
  writer.enqueue(entry);
  await waitUntil(() => !writer.isHealthy, "the failed write");
  down = false;
  await waitUntil(() => rows.get("1")?.state === "settled", "the row");
  await waitUntil(() => writer.isHealthy, "the writer to be healthy");
  expect(journal.hasSpilled).toBe(false);
});

test("spills the rows of a hanging write within 200 ms, and releases the journal when the write ends", async () => {
  const { promise: slow, resolve: endWrite } = Promise.withResolvers<void>();
  const { journal, writer } = startBatchWriter(() => slow);
  writer.enqueue(createEndedEntry("1", journal));
  await waitUntil(() => journal.hasSpilled, "the row in the journal");
  const [segment] = journal.takeSpilled();
  expect(readFileSync(segment?.path ?? "", "utf8")).toContain('["row",{"id":"1"');
  endWrite();
  await waitUntil(() => !journal.hasSpilled, "the journal to be released");
});

test("the batch writer spills no row twice while a slow replay of earlier rows is in progress", async () => {
  const written: string[] = [];
  const { promise: slow, resolve: endWrite } = Promise.withResolvers<void>();
  let down = true;
  const { journal, writer } = startBatchWriter(async (rows) => {
    if (down) throw new Error("down");
    written.push(...rows.map(({ id }) => id));
    if (!written.includes("old")) return;
    clearInterval(feeding);
    await slow;
  });
  let count = 0;
  const feeding = setInterval(() => writer.enqueue(createEndedEntry(`new${count++}`, journal)), 40);
  onTestFinished(() => clearInterval(feeding));
  writer.enqueue(createEndedEntry("old", journal));
  await waitUntil(() => journal.hasSpilled, "the old row in the journal");
  down = false;
  await waitUntil(() => written.includes("old"), "the old row to be replayed");
  writer.enqueue(createEndedEntry("late", journal));
  await waitUntil(
    () => readSegments(journal.directory).includes('["row",{"id":"late"'),
    "the late row to be in the journal",
  );
  endWrite();
  await waitUntil(() => writer.isHealthy && !journal.hasSpilled, "the writer to be healthy");
  expect(written.toSorted()).toEqual([...new Set(written)].toSorted());
  expect(written).toHaveLength(count + 2);
});

test("spills rows that are queued while a write hangs, and writes them after that write", async () => {
  const rows = new Map<string, RequestRow>();
  const { promise: slow, resolve: endWrite } = Promise.withResolvers<void>();
  let writes = 0;
  const { journal, writer, health } = startBatchWriter(async (some) => {
    writes++;
    await slow;
    for (const row of some) rows.set(row.id, row);
  });
  writer.enqueue(createEndedEntry("1", journal));
  await waitUntil(() => writes === 1, "the write to begin");
  const open = beginEntry("2", journal);
  writer.enqueue(open);
  writer.enqueue(createEndedEntry("3", journal));
  await waitUntil(() => journal.hasSpilled, "the row in the journal");
  expect([writes, [...rows.keys()]]).toEqual([1, []]);
  open.end(createEndedContext());
  writer.enqueue(open);
  endWrite();
  await waitUntil(() => rows.size === 3, "all rows");
  expect([...rows.values()].map(({ state }) => state)).toEqual(["settled", "settled", "settled"]);
  await waitUntil(() => !journal.hasSpilled, "the journal to be released");
  expect(health).toEqual([]);
});

test("writes an ended request within 200 ms and an open request after one second", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const written: string[] = [];
  const { journal, writer } = startBatchWriter((rows) => {
    written.push(...rows.map(({ id, state }) => `${id} ${state}`));
    return Promise.resolve();
  });
  const openRequest = beginEntry("long", journal, Date.now());
  writer.enqueue(openRequest);
  writer.enqueue(createEndedEntry("short", journal));
  await vi.advanceTimersByTimeAsync(200);
  expect(written).toEqual(["short settled"]);
  await vi.advanceTimersByTimeAsync(799);
  expect(written).toEqual(["short settled"]);
  await vi.advanceTimersByTimeAsync(202);
  expect(written).toEqual(["short settled", "long open"]);
  openRequest.end(createEndedContext());
  writer.enqueue(openRequest);
  await vi.advanceTimersByTimeAsync(200);
  expect(written).toEqual(["short settled", "long open", "long settled"]);
});

test("never runs two writes at once, not even while the writer closes", async () => {
  let running = 0;
  let mostRunning = 0;
  const rows = new Set<string>();
  const { journal, writer } = startBatchWriter(async (some) => {
    mostRunning = Math.max(mostRunning, ++running);
    // This write takes longer than the flush interval, so the next write is due before it ends.
    await new Promise((resolve) => void setTimeout(resolve, 400));
    for (const row of some) rows.add(row.id);
    running--;
  });
  writer.enqueue(createEndedEntry("1", journal));
  const closing = writer.close();
  await waitUntil(() => running === 1, "the write to begin");
  writer.enqueue(createEndedEntry("2", journal));
  await closing;
  expect([mostRunning, rows.has("1")]).toEqual([1, true]);
});

test("writes a backlog in batches of 1,000 rows", async () => {
  const sizes: number[] = [];
  const rows = new Map<string, RequestRow>();
  const { journal, writer } = startBatchWriter((some) => {
    sizes.push(some.length);
    for (const row of some) rows.set(row.id, row);
    return Promise.resolve();
  });
  for (let id = 0; id < 2_500; id++) writer.enqueue(createEndedEntry(String(id), journal));
  await writer.close();
  expect([rows.size, sizes]).toEqual([2_500, [1_000, 1_000, 500]]);
});
