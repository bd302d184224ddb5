import { median, quantile } from "./compare.ts";

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

/** What something may cost, where the floor costs so much. */
export interface ExtraBar {
  readonly barUs: number;
  readonly floorUs: number;
}

/**
 * Judges by how much one is dearer than another, in µs of the machine on which the floor takes as long as the bar says.
 * @param us of the tested one, the one without, and the floor, per round. @param per what a request is divided into, such
 * as the events of a stream.
 */
export function judgeExtra(
  name: string,
  [testedUs = [], withoutUs = [], floorUs = []]: readonly (readonly number[])[],
  per: number,
  bar: ExtraBar,
): Verdict {
  const extraUs = testedUs.map((us, round) => (us - (withoutUs[round] ?? Number.NaN)) / per);
  const floorHereUs = median(floorUs) / per;
  const here = (us: number): string => us.toFixed(2);
  const scaledUs = (median(extraUs) * bar.floorUs) / floorHereUs;
  const spread = `half of ${extraUs.length} rounds ${here(quantile(extraUs, 0.25))} to ${here(quantile(extraUs, 0.75))}`;
  return {
    name,
    figures: `${here(scaledUs)} µs where the floor takes ${bar.floorUs} µs (here ${here(median(extraUs))} µs, ${spread}; the floor ${here(floorHereUs)} µs)`,
    bar: `<= ${bar.barUs} µs`,
    passed: scaledUs <= bar.barUs,
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
