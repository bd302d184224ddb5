import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RequestEntry } from "../../src/metering/request-entry.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { createEndedContext } from "../support/request-context.ts";
import { beginEntry, startBatchWriter } from "../support/batch-writer.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** Starts a writer and collects the rows that it writes. @param isJournalPersistent whether the journal survives a lost disk. */
function start(isJournalPersistent: boolean) {
  const writes: { id: string; state: RequestRow["state"]; at: number }[] = [];
  const { journal, writer } = startBatchWriter((rows) => {
    writes.push(...rows.map(({ id, state }) => ({ id, state, at: performance.now() })));
    return Promise.resolve();
  }, isJournalPersistent);
  const begin = (id: string): RequestEntry => {
    const entry = beginEntry(id, journal, Date.now());
    writer.enqueue(entry);
    return entry;
  };
  return { writer, writes, begin };
}

test("writes the open row of a request within 250 ms of its start when the journal is not persistent", async () => {
  const { writes, begin } = start(false);
  // The requests begin at all offsets between two flushes.
  const beganAt = new Map<string, number>();
  for (let number = 0; number < 40; number++) {
    beganAt.set(`${number}`, performance.now());
    begin(`${number}`);
    await vi.advanceTimersByTimeAsync(7);
  }
  await vi.advanceTimersByTimeAsync(250);
  const waits = writes.map(({ id, at }) => at - (beganAt.get(id) ?? 0));
  expect(writes.map(({ state }) => state)).toEqual(Array(40).fill("open"));
  // The write itself may take the rest of the 250 ms.
  expect(Math.max(...waits)).toBeLessThanOrEqual(100);
});

test("writes one row when the request ends before its open row is due", async () => {
  for (const isPersistent of [true, false]) {
    const { writer, writes, begin } = start(isPersistent);
    for (let number = 0; number < 20; number++) {
      const entry = begin(`${number}`);
      await vi.advanceTimersByTimeAsync(45);
      entry.end(createEndedContext());
      writer.enqueue(entry);
      await vi.advanceTimersByTimeAsync(number);
    }
    await vi.advanceTimersByTimeAsync(500);
    expect(writes.map(({ id, state }) => `${id} ${state}`)).toEqual(
      Array.from({ length: 20 }, (_, number) => `${number} settled`),
    );
  }
});

test("waits up to 100 ms for a write in progress, then writes the due rows at once", async () => {
  const { journal, writer } = startBatchWriter(async (rows) => {
    writes.push(...rows.map(({ id }) => ({ id, at: performance.now() })));
    await new Promise((resolve) => void setTimeout(resolve, 90));
  }, false);
  const writes: { id: string; at: number }[] = [];
  writer.enqueue(beginEntry("1", journal, Date.now()));
  await vi.advanceTimersByTimeAsync(60);
  const beganAt = performance.now();
  writer.enqueue(beginEntry("2", journal, Date.now()));
  const spill = vi.spyOn(journal, "spill");
  await vi.advanceTimersByTimeAsync(250);
  expect(writes.map(({ id }) => id)).toEqual(["1", "2"]);
  expect((writes[1]?.at ?? Infinity) - beganAt).toBeLessThanOrEqual(100);
  expect(spill).not.toHaveBeenCalled();
});

test("keeps an open row only in the journal for one second when the journal is persistent", async () => {
  const { writes, begin } = start(true);
  begin("1");
  await vi.advanceTimersByTimeAsync(990);
  expect(writes).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  expect(writes).toMatchObject([{ id: "1", state: "open" }]);
});
