import { type RequestRow, STATE } from "./record.ts";

/** Writes rows of which no two have the same id, all or none. @returns those that were new to the database. */
export type WriteRows = (rows: readonly RequestRow[]) => Promise<readonly RequestRow[]>;

export interface QuarantiningWriterOptions {
  readonly write: WriteRows;
  /** Whether a write failed because a row is invalid, so that it would fail again. */
  readonly isInvalidRow: (error: unknown) => boolean;
  /** Sets aside a row that the database will never take. */
  readonly quarantine: (row: RequestRow, error: unknown) => void;
}

/**
 * Wraps a batch write so that one invalid row cannot fail the batch: it bisects the batch and quarantines the row.
 * @returns a write that fails only when the database does.
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
      // An open row is written again when its request has ended.
      for (const row of rows) if (row.state !== STATE.open) quarantine(row, error);
      return [];
    }
  };
  return writeValid;
}
