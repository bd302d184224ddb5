import { computeMedian } from "./compare.ts";

/** One line of the result. */
export interface Verdict {
  readonly name: string;
  readonly figures: string;
  readonly budget: string;
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
  const ratio = computeMedian(ratios);
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)} in ${ratios.length} rounds`;
  return {
    name,
    figures: `${ratio.toFixed(2)} times the floor (${range}; ${computeMedian(testedUs).toFixed(1)} µs to ${computeMedian(floorUs).toFixed(1)} µs)`,
    budget: bar === undefined ? "" : `<= ${bar}`,
    passed: bar === undefined ? undefined : ratio <= bar,
  };
}

/**
 * Judges by how much one is dearer than another, by the middle one of what several processes, or pairs of them, say.
 * @param extrasUs what each says, in µs. @param barUs the highest that passes; undefined judges nothing.
 */
export function judgeExtra(name: string, extrasUs: readonly number[], barUs: number | undefined): Verdict {
  const extraUs = computeMedian(extrasUs);
  const all = extrasUs.toSorted((a, b) => a - b).map((us) => us.toFixed(2));
  return {
    name,
    figures: `${extraUs.toFixed(2)} µs (processes say ${all.join(", ")})`,
    budget: barUs === undefined ? "" : `<= ${barUs} µs`,
    passed: barUs === undefined ? undefined : extraUs <= barUs,
  };
}

/** What something takes, for who reads the rest. @param us of several rounds. */
export function reportMedian(name: string, us: readonly number[]): Verdict {
  return { name, figures: `${computeMedian(us).toFixed(2)} µs`, budget: "", passed: undefined };
}

/** @param startupsMs of several starts; the median is judged. */
export function judgeStartup(name: string, startupsMs: readonly number[], barMs: number): Verdict {
  const middleMs = computeMedian(startupsMs);
  const best = Math.min(...startupsMs).toFixed(0);
  return {
    name,
    figures: `${middleMs.toFixed(0)} ms (best ${best} ms of ${startupsMs.length})`,
    budget: `< ${barMs} ms`,
    passed: middleMs < barMs,
  };
}

/** The verdicts as a table. */
export function formatVerdicts(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ name, figures, budget, passed }) => [
    name,
    figures,
    budget,
    passed === undefined ? "" : passed ? "PASS" : "FAIL",
  ]);
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(width(column))).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}
