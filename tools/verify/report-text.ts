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

function formatGroup(group: string, { results, skipped, notApplicable }: Report): string {
  const own = results.filter((result) => result.group === group);
  const missing = notApplicable.find((one) => one.group === group);
  const score = `${own.filter(({ pass }) => pass).length} of ${own.length}`;
  const text = missing ? `not applicable, the gateway has no such endpoint (${missing.got})` : score;
  return `  ${group.padEnd(14)}${skipped.includes(group) ? "skipped" : text}`;
}

/** Formats the report as text: every check, the faults of the failed ones, and the score. */
export function formatReport(report: Report): string {
  const { results, passed, total, ms, gateway, skipped, notApplicable } = report;
  const idWidth = Math.max(0, ...results.map(({ id }) => id.length));
  const failures = results.filter(({ pass }) => !pass);
  const mentioned = [...skipped, ...notApplicable, ...results].map((one) =>
    typeof one === "string" ? one : one.group,
  );
  const groups = GROUPS.filter((group) => mentioned.includes(group));
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
