import { printable } from "../printable.ts";

type TableRow = Readonly<Record<string, unknown>>;

/**
 * Formats rows as a table for people: columns as wide as their cells, numbers to the right.
 * @param noun what the rows are, for a table that has none.
 */
export function tableOf(rows: readonly TableRow[], noun: string): string {
  return new GrowingTable(noun).add(rows);
}

/** A table that is written some rows at a time, with one head. Columns become wider with the rows that need it. */
export class GrowingTable {
  readonly #noun: string;
  #columns: readonly string[] = [];
  #isNumber: readonly boolean[] = [];
  #widths: number[] = [];

  /** @param noun what the rows are, for a table that has none. */
  constructor(noun: string) {
    this.#noun = noun;
  }

  /** @returns the text of these rows, at the first call with the head, or that there are none. */
  add(rows: readonly TableRow[]): string {
    const [first] = rows;
    const isFirst = this.#columns.length === 0;
    if (!first) return isFirst ? `(no ${this.#noun})\n` : "";
    if (isFirst) {
      this.#columns = Object.keys(first);
      this.#isNumber = this.#columns.map((column) => typeof first[column] === "number");
    }
    const cells = rows.map((row) => this.#columns.map((column) => textOf(row[column], column)));
    if (isFirst) cells.unshift([...this.#columns]);
    this.#widths = this.#columns.map((_, column) =>
      cells.reduce((width, line) => Math.max(width, line[column]?.length ?? 0), this.#widths[column] ?? 0),
    );
    return cells.map((line) => this.#lineOf(line)).join("");
  }

  #lineOf(cells: readonly string[]): string {
    const padded = cells.map((cell, column) => {
      const width = this.#widths[column] ?? 0;
      return this.#isNumber[column] ? cell.padStart(width) : cell.padEnd(width);
    });
    return `${padded.join("  ").trimEnd()}\n`;
  }
}

function textOf(value: unknown, column: string): string {
  if (value === null || value === undefined) return "-";
  // An empty cell would look like a fault of the table.
  if (value === "") return `(no ${column.replace("_", " ")})`;
  if (Array.isArray(value)) return printable(value.join(","));
  return printable(typeof value === "string" ? value : JSON.stringify(value));
}
