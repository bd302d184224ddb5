import { type RequestRow, STATE } from "./record.ts";

/** Writes rows with distinct ids, all or none. @returns the rows that were new to the database or changed a stored row. */
export type WriteRows = (rows: readonly RequestRow[]) => Promise<readonly RequestRow[]>;

export interface QuarantiningWriterOptions {
  readonly write: WriteRows;
  /** Whether a write failed because a row is invalid. If so, a retry would fail too. */
  readonly isInvalidRow: (error: unknown) => boolean;
  /** Quarantines a row that the database will never accept. */
  readonly quarantine: (row: RequestRow, error: unknown) => void;
}

/**
 * Wraps a batch write so that one invalid row cannot fail the batch: it bisects the batch and quarantines the row.
 * @returns a write that rejects only if the database fails.
 */
export function createQuarantiningWriter({
  write,
  isInvalidRow,
  quarantine,
}: QuarantiningWriterOptions): WriteRows {
  const writeValid: WriteRows = async (rows) => {
    try {
      return await write(rows);
    } catch (error) {
      if (!isInvalidRow(error)) throw error;
      const half = rows.length >> 1;
      if (half > 0)
        return [...(await writeValid(rows.slice(0, half))), ...(await writeValid(rows.slice(half)))];
      // An open row needs no quarantine: it is written again when its request ends.
      for (const row of rows) if (row.state !== STATE.open) quarantine(row, error);
      return [];
    }
  };
  return writeValid;
}
