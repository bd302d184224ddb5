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

/** What something may cost on whatever machine, and what the floor costs on the one that the bar was set on. */
export interface ExtraBar {
  readonly barUs: number;
  readonly floorUs: number;
}

/** The CPU time of three servers, in µs per request, each round its own. */
export interface Trio {
  readonly tested: readonly number[];
  readonly without: readonly number[];
  readonly floor: readonly number[];
}

/**
 * Judges by how much one is dearer than another: by the middle one of several trios of processes, each of which has the median
 * of its rounds. What that would be in proportion to another machine's floor is told, and not judged.
 * @param per what a request is divided into, such as the events of a stream.
 */
export function judgeExtra(name: string, trios: readonly Trio[], per: number, bar: ExtraBar): Verdict {
  const extras = trios.map(
    ({ tested, without }) => median(tested.map((us, round) => us - (without[round] ?? Number.NaN))) / per,
  );
  const floorUs = median(trios.flatMap(({ floor }) => floor)) / per;
  const extraUs = median(extras);
  const inProportion = ((extraUs * bar.floorUs) / floorUs).toFixed(2);
  const all = extras.toSorted((a, b) => a - b).map((us) => us.toFixed(2));
  return {
    name,
    figures: `${extraUs.toFixed(2)} µs (pairs of processes ${all.join(", ")}; the floor ${floorUs.toFixed(2)}: in proportion to ${bar.floorUs} it is ${inProportion})`,
    bar: `<= ${bar.barUs} µs`,
    passed: extraUs <= bar.barUs,
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
