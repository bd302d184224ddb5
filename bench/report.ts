import { type Comparison, median } from "./compare.ts";

/** One line of the result. */
export interface Verdict {
  readonly name: string;
  readonly figures: string;
  readonly bar: string;
  /** undefined: there is no bar. */
  readonly passed: boolean | undefined;
}

/** @param bar the highest median ratio that passes; undefined judges nothing. */
export function judgeRatio(name: string, comparison: Comparison, bar: number | undefined): Verdict {
  const { ratios, testedUs, floorUs } = comparison;
  const ratio = median(ratios);
  const range = `${ratios[0]?.toFixed(2)} to ${ratios.at(-1)?.toFixed(2)} in ${ratios.length} rounds`;
  return {
    name,
    figures: `${ratio.toFixed(2)} times the floor (${range}; ${testedUs.toFixed(1)} µs to ${floorUs.toFixed(1)} µs)`,
    bar: bar === undefined ? "" : `<= ${bar}`,
    passed: bar === undefined ? undefined : ratio <= bar,
  };
}

/**
 * @param per what a request is divided into, such as the events of a stream. @param barUs the highest median that passes.
 */
export function judgeExtra(
  name: string,
  { extraUs, testedUs, floorUs }: Comparison,
  per: number,
  barUs: number,
): Verdict {
  const extra = median(extraUs) / per;
  const range = `${((extraUs[0] ?? Number.NaN) / per).toFixed(2)} to ${((extraUs.at(-1) ?? Number.NaN) / per).toFixed(2)}`;
  return {
    name,
    figures: `${extra.toFixed(2)} µs (${range} in ${extraUs.length} rounds; ${testedUs.toFixed(1)} µs to ${floorUs.toFixed(1)} µs)`,
    bar: `<= ${barUs} µs`,
    passed: extra <= barUs,
  };
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
