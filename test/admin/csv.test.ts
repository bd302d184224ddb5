import { assert, constantFrom, double, integer, oneof, property, array, string } from "fast-check";
import { expect, test } from "vitest";
import { csvLine } from "../../src/admin/csv.ts";

/** Reads one line as RFC 4180 says. */
function parse(line: string): string[] {
  const cells: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  for (;;) {
    const found = cell.exec(line);
    if (!found) throw new Error(`not a line of CSV at ${cell.lastIndex}: ${JSON.stringify(line)}`);
    cells.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? "");
    if (found[3] !== ",") break;
  }
  if (cell.lastIndex !== line.length) throw new Error("the line goes on after its end");
  return cells;
}

test("a line of a table is read back as it was written, whatever is in its cells", () => {
  const awkward = constantFrom('"', ",", "\r", "\n", "\r\n", '""', "a", " ", "'", ";", "\t", "ü");
  const text = oneof(
    string({ unit: "grapheme" }),
    array(awkward, { maxLength: 8 }).map((parts) => parts.join("")),
  );
  assert(
    property(array(oneof(text, integer(), double({ noNaN: true })), { minLength: 1 }), (cells) => {
      const read = parse(csvLine(cells));
      expect(read).toHaveLength(cells.length);
      for (const [index, cell] of cells.entries()) {
        // An apostrophe before a formula is all that may be added.
        expect([String(cell), `'${cell}`]).toContain(read[index]);
      }
    }),
  );
});

test("nothing is a formula in a spreadsheet, and plain numbers stay numbers", () => {
  const formulas = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "-", '=HYPERLINK("http://x")'];
  for (const formula of formulas)
    expect([formula, parse(csvLine([formula]))]).toEqual([formula, [`'${formula}`]]);
  const harmless = ["-1", "-0.000000001", "1e3", "a=b", " =1", "", "0"];
  for (const text of harmless) expect([text, parse(csvLine([text]))]).toEqual([text, [text]]);
  expect(csvLine([-1, 0, 1.5, true, false, null, undefined])).toBe("-1,0,1.5,true,false,,\r\n");
});
