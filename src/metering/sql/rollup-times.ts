import { DAY_MS, HOUR_MS } from "../../durations.ts";

// Rollups are by the hour and by the day of UTC, whose hours and days all begin at a multiple of their length since 1970.

/** The beginning of the hour of a time. @param ms since 1970. */
export function floorToHour(ms: number): number {
  return ms - (ms % HOUR_MS);
}

/** The beginning of the day of a time. @param ms since 1970. */
export function floorToDay(ms: number): number {
  return ms - (ms % DAY_MS);
}

/** The beginning of the first day that begins at a time or later. @param ms since 1970. */
export function ceilToDay(ms: number): number {
  return Math.ceil(ms / DAY_MS) * DAY_MS;
}
