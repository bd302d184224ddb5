/** Lengths of steps in ms, as in `/admin/v1/timeseries`. */
export const STEP_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
export type Step = keyof typeof STEP_MS;

const MINUTE_STEPS_MAX_MS = 3 * STEP_MS.hour;
const HOUR_STEPS_MAX_MS = 7 * STEP_MS.day;

/** The periods that the page offers: value in the URL, label, step, number of steps. */
export const PERIODS = [
  { id: "1h", label: "1 hour", step: "minute", steps: 60 },
  { id: "24h", label: "24 hours", step: "hour", steps: 24 },
  { id: "7d", label: "7 days", step: "hour", steps: 168 },
  { id: "30d", label: "30 days", step: "day", steps: 30 },
  { id: "90d", label: "90 days", step: "day", steps: 90 },
] as const satisfies readonly { id: string; label: string; step: Step; steps: number }[];
export type PeriodId = (typeof PERIODS)[number]["id"];
const DEFAULT_PERIOD = PERIODS[1];

/** A period of whole steps, in ms since 1970; `to` is excluded. */
export interface Period {
  /** Undefined: a part of a chart that the reader selected. */
  readonly id: PeriodId | undefined;
  readonly step: Step;
  readonly from: number;
  readonly to: number;
}

/** Parameters of the page's URL that select its period. */
interface PeriodParams {
  readonly period?: string;
  readonly from?: string;
  readonly to?: string;
}

/**
 * Returns the period that the URL names: one with a start and an end, or one that ends with the current step. Without a valid
 * value, it is the last 24 hours.
 * @param now ms since 1970.
 */
export function toPeriod({ period, from, to }: PeriodParams, now: number): Period {
  const start = Date.parse(from ?? "");
  const end = Date.parse(to ?? "");
  if (start < end) return { id: undefined, ...alignToSteps(start, end) };
  const { id, step, steps } = PERIODS.find((known) => known.id === period) ?? DEFAULT_PERIOD;
  const stepMs = STEP_MS[step];
  const last = (Math.floor(now / stepMs) + 1) * stepMs;
  return { id, step, from: last - steps * stepMs, to: last };
}

/** Returns the period of the same length that ends where a period begins. */
export function toPreviousPeriod({ id, step, from, to }: Period): Period {
  return { id, step, from: from - (to - from), to: from };
}

/** Names the previous period, such as `previous 24 hours`. */
export function toPreviousLabel({ id }: Period): string {
  const label = PERIODS.find((known) => known.id === id)?.label ?? "period";
  return `previous ${label.replace(/^1 /, "")}`;
}

/** Extends a period to whole steps, which are as short as its length allows. */
function alignToSteps(start: number, end: number): Omit<Period, "id"> {
  const align = (step: Step): Omit<Period, "id"> => ({
    step,
    from: Math.floor(start / STEP_MS[step]) * STEP_MS[step],
    to: Math.ceil(end / STEP_MS[step]) * STEP_MS[step],
  });
  const [minutes, hours] = [align("minute"), align("hour")];
  if (minutes.to - minutes.from <= MINUTE_STEPS_MAX_MS) return minutes;
  return hours.to - hours.from <= HOUR_STEPS_MAX_MS ? hours : align("day");
}

/** Formats a time as the API and the URL need it. @param at ms since 1970. */
export function toIso(at: number): string {
  return new Date(at).toISOString().replace(".000Z", "Z");
}
