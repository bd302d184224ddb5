import { formatCsvLine } from "../../../presentation/csv.ts";

/**
 * Saves rows that the page shows as a CSV file.
 * @param name of the file, without its extension. @param head names of the columns. @param rows their values, in the same order.
 */
export function downloadCsv(
  name: string,
  head: readonly string[],
  rows: readonly (readonly (string | number | boolean | null)[])[],
): void {
  const text = [head, ...rows].map(formatCsvLine).join("");
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${name}.csv`;
  link.click();
  URL.revokeObjectURL(url);
}
