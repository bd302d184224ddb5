import { escapeUnprintable } from "../printable.ts";

type TableRow = Readonly<Record<string, unknown>>;

/**
 * Formats rows as a text table with aligned columns; numbers are aligned to the right.
 * @param noun names the rows in the text for an empty table.
 */
export function formatTable(rows: readonly TableRow[], noun: string): string {
  return new TableFormatter(noun).formatRows(rows);
}

/** Formats a table in several batches of rows under one header. Columns become wider when a batch needs it. */
export class TableFormatter {
  readonly #noun: string;
  #columns: readonly string[] = [];
  #isNumber: readonly boolean[] = [];
  #widths: number[] = [];

  /** @param noun names the rows in the text for an empty table. */
  constructor(noun: string) {
    this.#noun = noun;
  }

  /** Formats a batch of rows. The first call adds the header or, without rows, returns the text for an empty table. */
  formatRows(rows: readonly TableRow[]): string {
    const [first] = rows;
    const isFirst = this.#columns.length === 0;
    if (!first) return isFirst ? `(no ${this.#noun})\n` : "";
    if (isFirst) {
      this.#columns = Object.keys(first);
      this.#isNumber = this.#columns.map((column) => typeof first[column] === "number");
    }
    const cells = rows.map((row) => this.#columns.map((column) => formatCell(row[column], column)));
    if (isFirst) cells.unshift([...this.#columns]);
    this.#widths = this.#columns.map((_, column) =>
      cells.reduce((width, line) => Math.max(width, line[column]?.length ?? 0), this.#widths[column] ?? 0),
    );
    return cells.map((line) => this.#formatLine(line)).join("");
  }

  #formatLine(cells: readonly string[]): string {
    const padded = cells.map((cell, column) => {
      const width = this.#widths[column] ?? 0;
      return this.#isNumber[column] ? cell.padStart(width) : cell.padEnd(width);
    });
    return `${padded.join("  ").trimEnd()}\n`;
  }
}

function formatCell(value: unknown, column: string): string {
  if (value === null || value === undefined) return "-";
  // An empty cell would look like an error in the table.
  if (value === "") return `(no ${column.replace("_", " ")})`;
  if (Array.isArray(value)) return escapeUnprintable(value.join(","));
  return escapeUnprintable(typeof value === "string" ? value : JSON.stringify(value));
}
