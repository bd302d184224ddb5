/** Types that SQLite and PostgreSQL share. */
export type SqlType = "text" | "integer" | "bigint";

/** A column of a table. `Value` is the TypeScript type of its values. */
export interface Column<Value extends string | number | null = string | number | null> {
  readonly sqlType: SqlType;
  readonly isNullable: boolean;
  /** Meaning and unit of the values, for the description of the API. */
  readonly description?: string;
  /** Never set. This member exists only for its type. */
  readonly value?: Value;
}

export const TEXT: Column<string> = { sqlType: "text", isNullable: false };
export const NULLABLE_TEXT: Column<string | null> = { sqlType: "text", isNullable: true };
export const INTEGER: Column<number> = { sqlType: "integer", isNullable: false };
export const NULLABLE_INTEGER: Column<number | null> = { sqlType: "integer", isNullable: true };
export const BIGINT: Column<number> = { sqlType: "bigint", isNullable: false };
export const NULLABLE_BIGINT: Column<number | null> = { sqlType: "bigint", isNullable: true };

/** Returns a column with the meaning and the unit of its values. */
export function describeColumn<T extends Column>(column: T, description: string): T {
  return { ...column, description };
}

/** The columns of a table by name. */
export type Columns = Readonly<Record<string, Column>>;

/** A row of a table with these columns. */
export type RowOf<Table extends Columns> = {
  -readonly [Name in keyof Table]: Table[Name] extends Column<infer Value> ? Value : never;
};
