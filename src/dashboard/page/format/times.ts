import { NO_VALUE } from "./numbers.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** The viewer's time zone, such as `Europe/Berlin`. */
export const TIME_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const dateTime = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const dateTimeOfOtherYear = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const offset = new Intl.DateTimeFormat("en-GB", { timeZoneName: "longOffset" });

/** Formats a time in the viewer's time zone, such as `29 Nov, 14:03:05`. @param at ISO 8601, or ms since 1970. */
export function formatTime(at: string | number | null | undefined): string {
  if (at === null || at === undefined) return NO_VALUE;
  const date = new Date(at);
  const isThisYear = date.getFullYear() === new Date().getFullYear();
  return (isThisYear ? dateTime : dateTimeOfOtherYear).format(date);
}

/** Names the viewer's time zone with its current offset, such as `Europe/Berlin (GMT+01:00)`. */
export function formatTimeZone(): string {
  const name = offset.formatToParts(new Date()).find(({ type }) => type === "timeZoneName")?.value;
  return name === undefined || name === TIME_ZONE ? TIME_ZONE : `${TIME_ZONE} (${name})`;
}

/** Formats a duration with one unit, such as `420 ms`, `3.2 s` or `5 min`. */
export function formatDuration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return NO_VALUE;
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  if (ms < MINUTE_MS) return `${(ms / SECOND_MS).toFixed(ms < 10 * SECOND_MS ? 1 : 0)} s`;
  if (ms < HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.round(ms / HOUR_MS)} h`;
  return `${Math.round(ms / DAY_MS)} days`;
}

/** Formats the distance of a time from now, such as `5 min ago` or `in 3 h`. @param at ISO 8601, or ms since 1970. */
export function formatAge(at: string | number | null | undefined, now = Date.now()): string {
  if (at === null || at === undefined) return "never";
  const age = now - new Date(at).getTime();
  if (Math.abs(age) < SECOND_MS) return "now";
  const rounded = formatDuration(Math.round(Math.abs(age) / SECOND_MS) * SECOND_MS).replace(".0 s", " s");
  return age > 0 ? `${rounded} ago` : `in ${rounded}`;
}
