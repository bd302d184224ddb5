import { z } from "zod";

/** Ids of rows of the ledger: their time and what tells apart those of one millisecond. */
const ROW_ID = /^[0-9a-z]{10,64}$/;

/** A cursor for a client: the id of the last row that it has. Opaque, so that what a position is can change. */
export function encodeCursor(id: string): string {
  return Buffer.from(id, "latin1").toString("base64url");
}

function decodeCursor(cursor: string): string {
  return Buffer.from(cursor, "base64url").toString("latin1");
}

/** A cursor of a query; gives the id in it. */
export const cursorSchema = z
  .string()
  .refine((cursor) => {
    const id = decodeCursor(cursor);
    // Buffer.from skips what is not base64url.
    return ROW_ID.test(id) && encodeCursor(id) === cursor;
  }, "must be the next_cursor of an earlier answer")
  .transform(decodeCursor);
