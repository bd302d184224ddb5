import { z } from "zod";

/** The id of a row of the ledger: its time, and a suffix that distinguishes rows of the same millisecond. */
const ROW_ID = /^[0-9a-z]{10,64}$/;

/** Encodes the id of the last row of a page as a cursor. It is opaque to clients, so that its content can change. */
export function encodeCursor(id: string): string {
  return Buffer.from(id, "latin1").toString("base64url");
}

function decodeCursor(cursor: string): string {
  return Buffer.from(cursor, "base64url").toString("latin1");
}

/** The schema of a cursor in a query, which is converted to the id of a row. */
export const cursorSchema = z
  .string()
  .refine((cursor) => {
    const id = decodeCursor(cursor);
    // Buffer.from() ignores characters that are not base64url.
    return ROW_ID.test(id) && encodeCursor(id) === cursor;
  }, "must be the next_cursor of an earlier response")
  .transform(decodeCursor);
