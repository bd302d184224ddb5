import { median } from "./compare.ts";

/** One line of the result. */
export interface Verdict {
  readonly name: string;
  readonly figures: string;
  readonly bar: string;
  /** undefined: there is no bar. */
  readonly passed: boolean | undefined;
}

/** @param us of the tested one and the floor, per round. @param bar the highest median ratio that passes; undefined judges nothing. */
export function judgeRatio(
  name: string,
  [testedUs = [], floorUs = []]: readonly (readonly number[])[],
  bar: number | undefined,
): Verdict {
  const ratios = testedUs.map((us, round) => us / (floorUs[round] ?? Number.NaN));
  const ratio = median(ratios);
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)} in ${ratios.length} rounds`;
  return {
    name,
    figures: `${ratio.toFixed(2)} times the floor (${range}; ${median(testedUs).toFixed(1)} µs to ${median(floorUs).toFixed(1)} µs)`,
    bar: bar === undefined ? "" : `<= ${bar}`,
    passed: bar === undefined ? undefined : ratio <= bar,
  };
}

/**
 * Judges by how much one is dearer than another, by the middle one of what several processes, or pairs of them, say.
 * @param extrasUs what each says, in µs. @param barUs the highest that passes; undefined judges nothing.
 */
export function judgeExtra(name: string, extrasUs: readonly number[], barUs: number | undefined): Verdict {
  const extraUs = median(extrasUs);
  const all = extrasUs.toSorted((a, b) => a - b).map((us) => us.toFixed(2));
  return {
    name,
    figures: `${extraUs.toFixed(2)} µs (processes say ${all.join(", ")})`,
    bar: barUs === undefined ? "" : `<= ${barUs} µs`,
    passed: barUs === undefined ? undefined : extraUs <= barUs,
  };
}

/** What something takes, for who reads the rest. @param us of several rounds. */
export function tell(name: string, us: readonly number[]): Verdict {
  return { name, figures: `${median(us).toFixed(2)} µs`, bar: "", passed: undefined };
}

/** @param startupsMs of several starts; the median is judged. */
export function judgeStartup(name: string, startupsMs: readonly number[], barMs: number): Verdict {
  const middleMs = median(startupsMs);
  const best = Math.min(...startupsMs).toFixed(0);
  return {
    name,
    figures: `${middleMs.toFixed(0)} ms (best ${best} ms of ${startupsMs.length})`,
    bar: `< ${barMs} ms`,
    passed: middleMs < barMs,
  };
}

/** The verdicts as a table. */
export function toTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ name, figures, bar, passed }) => [
    name,
    figures,
    bar,
    passed === undefined ? "" : passed ? "PASS" : "FAIL",
  ]);
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(width(column))).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}
