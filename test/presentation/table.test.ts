import { expect, test } from "vitest";
import { formatTable, TableFormatter } from "../../src/presentation/table.ts";

// oxlint-disable-next-line no-control-regex -- characters that a terminal interprets
const ACTIVE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/u;

test("formatTable escapes characters that act on a terminal", () => {
  const table = formatTable(
    [
      { model: "x\u001b[2J", owners: ["a\u202e"], usd: 1 },
      { model: "y", owners: [], usd: 10 },
    ],
    "rows",
  );
  expect(table).not.toMatch(ACTIVE);
  expect(table).toContain(String.raw`x\u{1b}[2J  a\u{202e}`);
});

test("formatTable aligns numbers to the right, and states that there are no rows", () => {
  expect(
    formatTable(
      [
        { name: "a", count: 1 },
        { name: "bcd", count: 10 },
      ],
      "rows",
    ),
  ).toBe("name  count\na         1\nbcd      10\n");
  expect(formatTable([], "rows")).toBe("(no rows)\n");
});

test("TableFormatter writes the header once, and ignores columns that only later rows have", () => {
  const table = new TableFormatter("rows");
  expect(table.formatRows([{ name: "a" }])).toBe("name\na\n");
  expect(table.formatRows([{ name: "abcdef", ignored: 1 }])).toBe("abcdef\n");
  expect(table.formatRows([])).toBe("");
});
