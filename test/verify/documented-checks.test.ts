import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CHECKS, GROUPS } from "../../tools/verify/catalogue.ts";
import { getGroup } from "../../tools/verify/check.ts";

const page = readFileSync("docs/fidelity.md", "utf8");
const counts = GROUPS.map(
  (group) => [group, CHECKS.filter(({ id }) => getGroup(id) === group).length] as const,
);

/** Returns the first cells of the rows of a section's table that begin with the name of a group. */
function readRows(section: string): [group: string, cell: string][] {
  const text = page.slice(page.indexOf(`\n## ${section}\n`)).split("\n## ", 2)[1] ?? "";
  return Array.from(text.matchAll(/^\| `([\w-]+)` \| ([^|]+) \|/gm), ([, group = "", cell = ""]) => [
    group,
    cell,
  ]);
}

test("the page on fidelity states the number of checks in each group, and Sluice's score", () => {
  expect(readRows("Checks")).toEqual(counts.map(([group, count]) => [group, String(count)]));
  expect(readRows("Results")).toEqual(counts.map(([group, count]) => [group, `${count}/${count}`]));
  expect(page).toContain(`${CHECKS.length} checks in ${GROUPS.length} groups`);
  expect(page).toContain(`**${CHECKS.length}/${CHECKS.length}**`);
});
