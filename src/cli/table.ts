import { printable } from "../printable.ts";

/** Rows as a table for people: columns as wide as what stands in them, numbers to the right. */
export function tableOf(rows: readonly Readonly<Record<string, unknown>>[]): string {
  const [first] = rows;
  if (!first) return "(none)\n";
  const columns = Object.keys(first);
  const cells = [columns, ...rows.map((row) => columns.map((column) => textOf(row[column])))];
  const widths = columns.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const isNumber = columns.map((column) => typeof first[column] === "number");
  const lines = cells.map((line) =>
    line.map((cell, column) =>
      isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    ),
  );
  return lines.map((line) => `${line.join("  ").trimEnd()}\n`).join("");
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (Array.isArray(value)) return printable(value.join(","));
  return printable(typeof value === "string" ? value : JSON.stringify(value));
}
