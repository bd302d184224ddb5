import type { JSX } from "preact";
import type { ChartData } from "./chart-data.ts";
import { formatStep } from "./time-axis.ts";

interface LegendProps {
  readonly data: ChartData;
  /** The selected step; undefined: the whole period. */
  readonly step: number | undefined;
}

/** The series of a chart with their values: of the selected step, otherwise of the whole period. */
export function Legend({ data, step }: LegendProps): JSX.Element {
  const { times, stepMs, series, format } = data;
  const at = step === undefined ? undefined : times[step];
  return (
    <div class="legend">
      <div class="legend-time">{at === undefined ? "Whole period" : formatStep(at, stepMs)}</div>
      <dl>
        {series.map(({ id, label, colour, isDashed, values, total }) => (
          <div key={id}>
            <dt title={label}>
              <span
                class={isDashed === true ? "swatch swatch-dashed" : "swatch"}
                style={{ color: `var(${colour})` }}
              />
              <span class="legend-label">{label}</span>
            </dt>
            <dd>{format(step === undefined ? total : (values[step] ?? null))}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** Describes a step in words, for screen readers. @param step undefined: the whole period. */
export function describeStep({ times, stepMs, series, format }: ChartData, step: number | undefined): string {
  const at = step === undefined ? undefined : times[step];
  const values = series.map(
    ({ label, values: line, total }) =>
      `${label} ${format(step === undefined ? total : (line[step] ?? null))}`,
  );
  return `${at === undefined ? "Whole period" : formatStep(at, stepMs)}: ${values.join(", ")}`;
}
