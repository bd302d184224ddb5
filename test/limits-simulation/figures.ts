import { formatUsd } from "../../src/money.ts";
import { findLimit } from "./bills.ts";
import type { LimitsVerdict } from "./simulate.ts";

/** Formats the figures of a simulation as a Markdown table for each subject. */
export function formatFigures({
  scopes,
  waits,
  samples,
  kills,
  corrected,
  reservedPart,
  usedPart,
  rich,
}: LimitsVerdict): string {
  const { admitted, refused, admittedMs, refusedMs, duringOutages } = waits;
  const formatMs = ({ p50, p99, max }: typeof admittedMs): string => `${p50} / ${p99} / ${max}`;
  const rows = scopes.map(({ scope, billed, peak }) => [
    scope.label,
    scope.isHard ? "hard" : "soft",
    ...[findLimit(scope), billed, peak].map((amount) => `$${formatUsd(amount)}`),
    `${((100 * billed) / findLimit(scope)).toFixed(2)} %`,
  ]);
  const figures = [
    ["requests admitted", admitted],
    ...Object.entries(refused).map(([reason, count]) => [`requests refused: ${reason}`, count]),
    ["requests during an outage of a gateway or the database", duringOutages],
    ["wait of admitted requests, p50 / p99 / max ms", formatMs(admittedMs)],
    ["wait of refused requests, p50 / p99 / max ms", formatMs(refusedMs)],
    ["comparisons of bills and limits", samples],
    ["gateways killed", kills],
    ["unknown costs, corrected later", corrected],
    ["highest worst case of a small request, as a part of $0.45", formatPercent(reservedPart)],
    ["lowest used part of a budget before the correction", formatPercent(usedPart.before)],
    ["lowest used part of a budget after the correction", formatPercent(usedPart.after)],
    ["requests of the key far from its limit", rich.admitted],
    ["its draws / returns of leases", `${rich.draws} / ${rich.returns}`],
    ["its round trips per request", ((rich.draws + rich.returns) / rich.admitted).toFixed(3)],
  ];
  return [
    "| budget | mode | limit | billed | highest billed + in flight | used |",
    "|---|---|---|---|---|---|",
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
    "| figure | value |",
    "|---|---|",
    ...figures.map((row) => `| ${row.join(" | ")} |`),
    "",
  ].join("\n");
}

function formatPercent(part: number): string {
  return `${(100 * part).toFixed(2)} %`;
}
