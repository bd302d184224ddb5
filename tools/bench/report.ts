import { computeMedian } from "./compare.ts";

/** One line of the result. */
export interface Verdict {
  readonly name: string;
  readonly figures: string;
  readonly budget: string;
  /** undefined: there is no budget. */
  readonly passed: boolean | undefined;
}

/**
 * Compares the CPU time of a target with that of the baseline, each given as one value per round, in µs.
 * @param budget maximum median ratio; undefined: no budget.
 */
export function judgeRatio(
  name: string,
  [testedUs = [], baselineUs = []]: readonly (readonly number[])[],
  budget: number | undefined,
): Verdict {
  const ratios = testedUs.map((us, round) => us / (baselineUs[round] ?? Number.NaN));
  const ratio = computeMedian(ratios);
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)} in ${ratios.length} rounds`;
  return {
    name,
    figures: `${ratio.toFixed(2)} times the baseline (${range}; ${computeMedian(testedUs).toFixed(1)} µs to ${computeMedian(baselineUs).toFixed(1)} µs)`,
    budget: budget === undefined ? "" : `<= ${budget}`,
    passed: budget === undefined ? undefined : ratio <= budget,
  };
}

/**
 * Compares additional CPU time with its budget. Uses the median of several processes or pairs of processes.
 * @param extrasUs one result per process or pair, in µs. @param budgetUs maximum median; undefined: no budget.
 */
export function judgeExtra(name: string, extrasUs: readonly number[], budgetUs: number | undefined): Verdict {
  const extraUs = computeMedian(extrasUs);
  const all = extrasUs.toSorted((a, b) => a - b).map((us) => us.toFixed(2));
  return {
    name,
    figures: `${extraUs.toFixed(2)} µs (each measured: ${all.join(", ")})`,
    budget: budgetUs === undefined ? "" : `<= ${budgetUs} µs`,
    passed: budgetUs === undefined ? undefined : extraUs <= budgetUs,
  };
}

/** Reports the median of a measurement, without a budget. @param us CPU time of several rounds, in µs. */
export function reportMedian(name: string, us: readonly number[]): Verdict {
  return { name, figures: `${computeMedian(us).toFixed(2)} µs`, budget: "", passed: undefined };
}

/** Compares the median of several startup times with a budget. @param startupsMs one for each start. */
export function judgeStartup(name: string, startupsMs: readonly number[], budgetMs: number): Verdict {
  const medianMs = computeMedian(startupsMs);
  const best = Math.min(...startupsMs).toFixed(0);
  return {
    name,
    figures: `${medianMs.toFixed(0)} ms (best ${best} ms of ${startupsMs.length})`,
    budget: `< ${budgetMs} ms`,
    passed: medianMs < budgetMs,
  };
}

/** Formats the results as a table. */
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
