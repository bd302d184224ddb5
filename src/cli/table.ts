import { printable } from "../printable.ts";

type TableRow = Readonly<Record<string, unknown>>;

/** Rows as a table for people: columns as wide as what is in them, numbers to the right. */
export function tableOf(rows: readonly TableRow[]): string {
  return new GrowingTable().add(rows);
}

/** A table that is written some rows at a time, with one head. Columns become wider with the rows that need it. */
export class GrowingTable {
  #columns: readonly string[] = [];
  #isNumber: readonly boolean[] = [];
  #widths: number[] = [];

  /** @returns the text of these rows, at the first call with the head, or with `(none)` if there are none. */
  add(rows: readonly TableRow[]): string {
    const [first] = rows;
    const isFirst = this.#columns.length === 0;
    if (!first) return isFirst ? "(none)\n" : "";
    if (isFirst) {
      this.#columns = Object.keys(first);
      this.#isNumber = this.#columns.map((column) => typeof first[column] === "number");
    }
    const cells = rows.map((row) => this.#columns.map((column) => textOf(row[column])));
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

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (Array.isArray(value)) return printable(value.join(","));
  return printable(typeof value === "string" ? value : JSON.stringify(value));
}
