import { assert, constantFrom, double, integer, oneof, property, array, string } from "fast-check";
import { expect, test } from "vitest";
import { formatCsvLine } from "../../src/presentation/csv.ts";

/** Parses one line by RFC 4180. */
function parse(line: string): string[] {
  const cells: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  for (;;) {
    const found = cell.exec(line);
    if (!found) throw new Error(`not a line of CSV at ${cell.lastIndex}: ${JSON.stringify(line)}`);
    cells.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? "");
    if (found[3] !== ",") break;
  }
  if (cell.lastIndex !== line.length) throw new Error("the line continues after its end");
  return cells;
}

/** Characters that importers treat in different ways. */
const AWKWARD = [
  ...Array.from("\",\r\n;\t|'a7ü \u00a0\u200b\ufeff\u202e\u3000\u2028\0\u000b=+-@%＝＋－＠｜−﹦；，“"),
  "\r\n",
  '""',
];
const awkward = constantFrom(...AWKWARD);
const text = oneof(
  string({ unit: "grapheme" }),
  string({ unit: "binary" }).map((value) => value.toWellFormed()),
  array(awkward, { maxLength: 8 }).map((parts) => parts.join("")),
);

test("a CSV parser reads a formatted line back unchanged, except for apostrophes", () => {
  assert(
    property(array(oneof(text, integer(), double({ noNaN: true })), { minLength: 1 }), (cells) => {
      const read = parse(formatCsvLine(cells));
      expect(read).toHaveLength(cells.length);
      const bare = (cell: unknown): string => String(cell).replaceAll("'", "");
      for (const [index, cell] of cells.entries()) expect(bare(read[index])).toBe(bare(cell));
    }),
    { numRuns: 1_000 },
  );
});

/**
 * @returns the texts that an importer could read as cells, if it normalizes characters, splits at any separator and drops
 * leading invisible characters.
 */
function listPossibleCells(cell: string): string[] {
  return cell
    .normalize("NFKC")
    .split(/[,;|\t\n\v\f\r\u0085\u2028\u2029]/u)
    .map((piece) => piece.replace(/^[^\p{L}\p{N}\p{P}\p{S}]+/u, ""));
}

const FORMULA = /^["“`´]*[=+\-@%−]/u;

test("a formatted text has no place at which a spreadsheet could begin a formula", () => {
  assert(
    property(text, (value) => {
      const [cell = ""] = parse(formatCsvLine([value]));
      const isNumber = /^-?\d+(\.\d+)?$/.test(value);
      const formulas = listPossibleCells(cell).filter((piece) => FORMULA.test(piece));
      expect(formulas).toEqual(isNumber && value.startsWith("-") ? [value] : []);
    }),
    { numRuns: 5_000 },
  );
});

test("no character hides a formula that follows it", () => {
  const hiding: string[] = [];
  for (let code = 0; code < 0x110000; code++) {
    const value = `${String.fromCodePoint(code).toWellFormed()}=1`;
    const [cell = ""] = parse(formatCsvLine([value]));
    if (listPossibleCells(cell).some((piece) => FORMULA.test(piece))) hiding.push(value);
  }
  expect(hiding).toEqual([]);
});

test.each([
  ["=1+1", "'=1+1"],
  ["+1", "'+1"],
  ["-1+1", "'-1+1"],
  ["@SUM(A1)", "'@SUM(A1)"],
  ["-", "'-"],
  ['=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'],
  ["|calc", "'|calc"],
  ["%0A", "'%0A"],
  ["＝1", "'＝1"],
  ["＋1", "'＋1"],
  ["－1", "'－1"],
  ["＠A", "'＠A"],
  ["−1", "'−1"],
  [" =1", "' =1"],
  ["\u00a0=1", "'\u00a0=1"],
  ["\u200b\ufeff=1", "'\u200b\ufeff=1"],
  ["\u0000=1", "'\u0000=1"],
  ['"=1"', '\'"=1"'],
  ["'=1", "''=1"],
  ["\t=1", "'\t'=1"],
  ["\r=1", "'\r'=1"],
  ["\n=1", "'\n'=1"],
  ["\ta", "'\ta"],
  [";=1", "';'=1"],
  ["a;=1", "'a;'=1"],
  ["a,=1", "'a,'=1"],
  ["a\t @x", "'a\t' @x"],
  ["a\r\n-1", "'a\r\n'-1"],
  ["a|+1", "'a|'+1"],
  ["a；＝1", "'a；'＝1"],
  ["-1;2", "'-1;2"],
  ["¨=1", "'¨=1"],
  ["a;゛=1", "'a;'゛=1"],
  ["🄁=1", "'🄁'=1"],
])("adds an apostrophe before each possible formula in %j", (given, expected) => {
  expect(parse(formatCsvLine([given]))).toEqual([expected]);
});

test("does not change numbers, or texts that cannot begin a formula", () => {
  const harmless = [
    "-1",
    "-0.000000001",
    "1e3",
    "a=b",
    "a - b",
    "gpt-4o",
    "a,b",
    "a;b",
    "x | y",
    "",
    "0",
    "2026-11-01",
  ];
  for (const value of harmless) expect([value, parse(formatCsvLine([value]))]).toEqual([value, [value]]);
  expect(formatCsvLine([-5, 1e-7, -1e-7, 0, 1.5, 10n, true, false, null, undefined])).toBe(
    "-5,1e-7,-1e-7,0,1.5,10,true,false,,\r\n",
  );
});

test("adds apostrophes and quotes in one line with cells of several types", () => {
  expect(formatCsvLine(["=1+1", "-x", -1, 'a"b', "a,b", null, true])).toBe(
    `'=1+1,'-x,-1,"a""b","a,b",,true\r\n`,
  );
});

test("formats a long hostile text in linear time", () => {
  const startedAt = performance.now();
  for (const value of [
    "\t".repeat(200_000),
    " ".repeat(200_000),
    "=;".repeat(100_000),
    `a${" ".repeat(200_000)};`,
  ])
    formatCsvLine([value]);
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});
