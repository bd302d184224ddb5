import { GROUPS } from "./catalogue.ts";
import type { Report, Result } from "./run.ts";

const LABEL_WIDTH = 10;

function formatLine(result: Result, idWidth: number): string {
  const { pass, id, title, ms } = result;
  return `${pass ? "ok  " : "FAIL"}  ${id.padEnd(idWidth)}  ${String(ms).padStart(6)} ms  ${title}`;
}

function formatPart(label: string, text: string): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${text}`;
}

function formatFailure({ id, title, expected, got, why }: Result): string {
  return [
    `${id}: ${title}`,
    formatPart("expected", expected),
    formatPart("got", got),
    formatPart("why", why),
  ].join("\n");
}

function formatGroup(group: string, { results, skipped }: Report): string {
  const own = results.filter((result) => result.group === group);
  const score = skipped.includes(group)
    ? "skipped"
    : `${own.filter(({ pass }) => pass).length} of ${own.length}`;
  return `  ${group.padEnd(14)}${score}`;
}

/** Formats the report as text: every check, details of failed checks, and the score. */
export function formatReport(report: Report): string {
  const { results, passed, total, ms, gateway, skipped } = report;
  const idWidth = Math.max(0, ...results.map(({ id }) => id.length));
  const failures = results.filter(({ pass }) => !pass);
  const groups = GROUPS.filter(
    (group) => skipped.includes(group) || results.some((result) => result.group === group),
  );
  return [
    ...results.map((result) => formatLine(result, idWidth)),
    "",
    ...failures.flatMap((result) => [formatFailure(result), ""]),
    ...groups.map((group) => formatGroup(group, report)),
    "",
    `${passed} of ${total} checks passed by ${gateway} in ${(ms / 1000).toFixed(1)} s`,
    "",
  ].join("\n");
}
