const HOUR_MS = 3_600_000;
/** From this length on, steps are days, which begin in UTC. */
export const DAY_MS = 86_400_000;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const utcDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

/**
 * Formats a tick of the x axis: `14:00`, or `29 Nov` at midnight.
 * @param at ms since 1970. @param stepMs length of the chart's steps, in ms.
 */
export function formatTick(at: number, stepMs: number): string {
  if (stepMs >= DAY_MS) return utcDay.format(at);
  const time = clock.format(at);
  return time === "00:00" ? day.format(at) : time;
}

/** Formats a step, such as `29 Nov, 14:00–15:00` or `29 Nov (UTC)`. @param at its start, in ms since 1970. */
export function formatStep(at: number, stepMs: number): string {
  if (stepMs >= DAY_MS) return `${utcDay.format(at)} (UTC)`;
  const start = `${day.format(at)}, ${clock.format(at)}`;
  return stepMs >= HOUR_MS ? `${start}–${clock.format(at + stepMs)}` : start;
}

/** Formats a period of whole steps, such as `29 Nov, 14:00 – 29 Nov, 16:30` or `1 Nov – 9 Nov (UTC)`; see {@link formatStep}. */
export function formatSpan({ from, to }: { from: number; to: number }, stepMs: number): string {
  if (stepMs >= DAY_MS) return `${utcDay.format(from)} – ${utcDay.format(to - stepMs)} (UTC)`;
  const [start, end] = [from, to].map((at) => `${day.format(at)}, ${clock.format(at)}`);
  return `${start} – ${end}`;
}
