import { GatewayError } from "../errors.ts";
import { type Step, STEP_MS } from "../metering/series.ts";

/** The default period and the longest period of each step, in steps, and a longer step for periods that are longer. */
const PERIODS: Readonly<Record<Step, { default: number; max: number; maxText: string; longer?: Step }>> = {
  minute: { default: 60, max: 180, maxText: "3 hours", longer: "hour" },
  hour: { default: 24, max: 31 * 24, maxText: "31 days", longer: "day" },
  day: { default: 30, max: 400, maxText: "400 days" },
};

/** A period of whole steps, in ms since 1970; `to` is excluded. */
interface StepPeriod {
  readonly from: number;
  readonly to: number;
}

/**
 * Fills in the defaults of a time series' period, and extends it to whole steps.
 * @param period the requested bounds, in ms since 1970. @param now ms since 1970.
 * @throws GatewayError invalid_value if the period ends before it begins, or is too long for the step.
 */
export function resolveSeriesPeriod(
  step: Step,
  period: { readonly from?: number | undefined; readonly to?: number | undefined },
  now: number,
): StepPeriod {
  const stepMs = STEP_MS[step];
  const { max, maxText, longer, default: defaultSteps } = PERIODS[step];
  const to = period.to ?? floorTo(stepMs, now) + stepMs;
  const from = period.from ?? to - defaultSteps * stepMs;
  if (from >= to)
    throw new GatewayError(
      "invalid_value",
      `from must be before to, whose default is the end of the current ${step}.`,
      { param: "from" },
    );
  // The length counts up to now: `from` may be the longest period ago, although the current step ends later.
  if ((period.to ?? now) - from > max * stepMs)
    throw new GatewayError(
      "invalid_value",
      `from is more than ${maxText} before to, the longest period of step=${step}. Use a later from${longer ? `, or step=${longer}` : ""}.`,
      { param: "from" },
    );
  return { from: floorTo(stepMs, from), to: -floorTo(stepMs, -to) };
}

function floorTo(stepMs: number, at: number): number {
  return Math.floor(at / stepMs) * stepMs;
}
