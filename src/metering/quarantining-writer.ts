import { type RequestRow, STATE } from "./record.ts";

/** Writes rows of which no two have the same id, all or none. @returns those that were news to the database. */
export type WriteRows = (rows: readonly RequestRow[]) => Promise<readonly RequestRow[]>;

export interface QuarantiningWriterOptions {
  readonly write: WriteRows;
  /** Whether a write failed for what its rows are, so that it would fail again. */
  readonly isInvalidRow: (error: unknown) => boolean;
  /** Puts a row aside that the database will never take. */
  readonly quarantine: (row: RequestRow, error: unknown) => void;
}

/**
 * Makes a write that a row which the database will never take does not keep from the others: it is put aside.
 * @returns a write that fails only for what is not the fault of rows.
 */
export function createQuarantiningWriter({
  write,
  isInvalidRow,
  quarantine,
}: QuarantiningWriterOptions): WriteRows {
  const bring: WriteRows = async (rows) => {
    try {
      return await write(rows);
    } catch (error) {
      if (!isInvalidRow(error)) throw error;
      const half = rows.length >> 1;
      if (half > 0) return [...(await bring(rows.slice(0, half))), ...(await bring(rows.slice(half)))];
      // One that is open will come again.
      for (const row of rows) if (row.state !== STATE.open) quarantine(row, error);
      return [];
    }
  };
  return bring;
}
