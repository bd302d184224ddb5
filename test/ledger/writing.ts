import { onTestFinished } from "vitest";
import { Account } from "../../src/ledger/account.ts";
import { Journal, JournalFull } from "../../src/ledger/journal.ts";
import { tolerantWrite } from "../../src/ledger/tolerant-write.ts";
import { Writer } from "../../src/ledger/writer.ts";
import type { RequestRow } from "../../src/store/request-row.ts";
import { isRowFault } from "../../src/store/row-fault.ts";
import { temporaryDirectory } from "../support/store.ts";
import { endedExchange, openingOfTest } from "./requests.ts";

/** A disk on which there is no room for rows while the test says so. */
export class SmallDisk extends Journal {
  full = false;

  override spill(rows: readonly RequestRow[]): void {
    if (this.full && rows.length > 0) throw new JournalFull("the journal cannot be written");
    super.spill(rows);
  }
}

/** A writer to a database that the test plays. */
export function startWriter(
  write: (rows: readonly RequestRow[]) => Promise<unknown>,
  isJournalPersistent = true,
) {
  const journal = new SmallDisk(temporaryDirectory(), "me", 1_000_000);
  const health: boolean[] = [];
  const refused: string[] = [];
  const damaged: number[] = [];
  const writer = new Writer({
    journal,
    write: tolerantWrite({
      write: (rows) => write(rows).then(() => rows),
      isRowFault,
      refuse(row) {
        refused.push(row.id);
        journal.refuse(row);
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

/** A request that has begun. */
export function begun(id: string, journal: Journal, started_at = 0): Account {
  const opening = openingOfTest(id, { started_at });
  return new Account(
    opening,
    journal.open(opening, () => {}),
    journal,
    () => {},
  );
}

/** A request that has ended with its cost. */
export function ended(id: string, journal: Journal): Account {
  const account = begun(id, journal);
  account.end(endedExchange(), 50);
  return account;
}
