import { expect, test } from "vitest";
import { REQUEST_COLUMNS } from "../../../src/metering/record.ts";
import { END_USER_COLUMNS } from "../../../src/metering/sql/end-user-rollups.ts";
import { DAILY_COLUMNS, HOURLY_COLUMNS } from "../../../src/metering/sql/rollups.ts";
import type { Columns } from "../../../src/store/columns.ts";
import type { Database } from "../../../src/store/database.ts";

const TABLES: Readonly<Record<string, Columns>> = {
  requests: REQUEST_COLUMNS,
  rollups: HOURLY_COLUMNS,
  rollups_daily: DAILY_COLUMNS,
  rollups_end_users: END_USER_COLUMNS,
};
/** Names of types that differ between PostgreSQL and the definition. */
const TYPES: Readonly<Record<string, string>> = { int4: "integer", int8: "bigint" };

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

/** Tests that tables match the definition of their records. @param open returns a migrated database. */
export function schemaContract(open: () => Promise<Database>): void {
  test.each(Object.entries(TABLES))(
    "the table %s has exactly the defined columns",
    async (table, columns) => {
      const database = await open();
      const tables = await database.kysely.introspection.getTables();
      const actual = tables.find(({ name }) => name === table)?.columns ?? [];
      const expected = Object.entries(columns).map(([name, { sqlType, isNullable }]) => ({
        name,
        sqlType,
        // Only SQLite reports that a text primary key may be null.
        isNullable: name === "id" && database.sqlite ? true : isNullable,
      }));
      expect(
        actual
          .map(({ name, dataType, isNullable }) => {
            const sqlType = dataType.toLowerCase();
            return { name, sqlType: TYPES[sqlType] ?? sqlType, isNullable };
          })
          .toSorted(byName),
      ).toEqual(expected.toSorted(byName));
    },
  );
}
