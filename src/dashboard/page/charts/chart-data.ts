/** A line, or a part of stacked bars. */
export interface ChartSeries {
  /** Identifies the series when the data is refreshed. */
  readonly id: string;
  readonly label: string;
  /** A token of a colour, such as `--series-1`. */
  readonly colour: string;
  /** Whether a line is dashed. */
  readonly isDashed?: boolean;
  /** One value for each step; null: the step has none. */
  readonly values: readonly (number | null)[];
  /** The value of the whole period, which is shown while no step is selected. */
  readonly total: number | null;
}

/** Everything that a chart shows. */
export interface ChartData {
  readonly kind: "bars" | "lines";
  /** The start of each step, in ms since 1970. */
  readonly times: readonly number[];
  readonly stepMs: number;
  readonly series: readonly ChartSeries[];
  /** Formats a value with its unit. */
  readonly format: (value: number | null) => string;
  /** Whether values are whole numbers, so that the axis has no fractions. */
  readonly isCount?: boolean;
}

/**
 * Adds up series, so that each begins where the previous one ends.
 * @returns one list of sums for each series, in the order of the series.
 */
export function stackValues(series: readonly Pick<ChartSeries, "values">[]): number[][] {
  const stacked: number[][] = [];
  for (const { values } of series) {
    const below = stacked.at(-1);
    stacked.push(values.map((value, step) => (value ?? 0) + (below?.[step] ?? 0)));
  }
  return stacked;
}

/** Returns the steps whose value has no neighbour, so that no line shows it. */
export function findIsolated(values: readonly (number | null | undefined)[]): number[] {
  const isEmpty = (step: number): boolean => (values[step] ?? null) === null;
  return values.flatMap((_, step) =>
    !isEmpty(step) && isEmpty(step - 1) && isEmpty(step + 1) ? [step] : [],
  );
}

/**
 * Converts a selected part of the x axis to whole steps.
 * @param start ms since 1970, like `end`; the two may be in any order. @returns start of the first step and end of the last.
 */
export function snapToSteps(
  { times, stepMs }: Pick<ChartData, "times" | "stepMs">,
  start: number,
  end: number,
): { from: number; to: number } {
  const first = times[0] ?? 0;
  const last = times.at(-1) ?? 0;
  const floor = (at: number): number =>
    Math.min(last, Math.max(first, first + Math.floor((at - first) / stepMs) * stepMs));
  return { from: floor(Math.min(start, end)), to: floor(Math.max(start, end)) + stepMs };
}
