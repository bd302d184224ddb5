import { onTestFinished } from "vitest";
import { RequestEntry } from "../../src/metering/request-entry.ts";
import { Journal, JournalFull } from "../../src/metering/journal/journal.ts";
import { createQuarantiningWriter } from "../../src/metering/quarantining-writer.ts";
import { BatchWriter } from "../../src/metering/batch-writer.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { isInvalidRow } from "../../src/store/database-errors.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";
import { createEndedContext, createStartEntry } from "./request-context.ts";

/** A journal that rejects spilled rows while `isFull` is true. */
class JournalOnFullDisk extends Journal {
  isFull = false;

  override spill(rows: readonly RequestRow[]): void {
    if (this.isFull && rows.length > 0) throw new JournalFull("the journal cannot be written");
    super.spill(rows);
  }
}

/** Starts a writer whose database is the test's `write` function. */
export function startBatchWriter(
  write: (rows: readonly RequestRow[]) => Promise<unknown>,
  isJournalPersistent = true,
) {
  const journal = new JournalOnFullDisk(createTemporaryDirectory(), "me", 1_000_000);
  const health: boolean[] = [];
  const refused: string[] = [];
  const damaged: number[] = [];
  const writer = new BatchWriter({
    journal,
    write: createQuarantiningWriter({
      write: (rows) => write(rows).then(() => rows),
      isInvalidRow,
      quarantine(row) {
        refused.push(row.id);
        journal.quarantine(row);
      },
    }),
    isJournalPersistent,
    onDamagedLines: (count) => damaged.push(count),
    onHealth: (healthy) => health.push(healthy),
  });
  onTestFinished(async () => {
    await writer.close();
    journal.close();
  });
  return { journal, writer, health, refused, damaged };
}

/** Creates the entry of a request, and records the start of the request in the journal. */
export function beginEntry(id: string, journal: Journal, started_at = 0): RequestEntry {
  const startEntry = createStartEntry(id, { started_at });
  return new RequestEntry(
    { startEntry, segment: journal.recordStart(startEntry, () => {}), reservation: undefined },
    { journal, settleAfterMs: 50, onChange: () => {}, onUnknown: () => {} },
  );
}

/** Creates the entry of a request that has ended with a known cost. */
export function createEndedEntry(id: string, journal: Journal): RequestEntry {
  const entry = beginEntry(id, journal);
  entry.end(createEndedContext());
  return entry;
}
