import { sql } from "kysely";
import { expect, test } from "vitest";
import type { Database } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { isInvalidRow } from "../../src/store/database-errors.ts";
import { createRequestRow } from "../support/request-row.ts";

const catchWriteError = (database: Database, rows: readonly RequestRow[]): Promise<unknown> =>
  writeRequests(database, rows).then(
    () => undefined,
    (error: unknown) => error,
  );

/** Tests `isInvalidRow` with errors of every database. @param open returns an empty database. */
export function databaseErrorsContract(open: () => Promise<Database>): void {
  test("isInvalidRow returns true for the error about an invalid column value", async () => {
    const database = await open();
    for (const fields of [{ key_id: null }, { started_at: undefined }]) {
      const row = { ...createRequestRow("1", { state: "settled" }), ...fields } as unknown as RequestRow;
      expect(isInvalidRow(await catchWriteError(database, [row]))).toBe(true);
    }
    expect(await catchWriteError(database, [createRequestRow("1", { state: "settled" })])).toBeUndefined();
  });

  test("isInvalidRow returns false for a missing table and for a closed database", async () => {
    const database = await open();
    await sql`drop table requests`.execute(database.kysely);
    const missing = await catchWriteError(database, [createRequestRow("1")]);
    expect([missing instanceof Error, isInvalidRow(missing)]).toEqual([true, false]);
    await database.close();
    const closed = await catchWriteError(database, [createRequestRow("1")]);
    expect([closed instanceof Error, isInvalidRow(closed)]).toEqual([true, false]);
  });
}
