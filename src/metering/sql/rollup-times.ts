import { DAY_MS, HOUR_MS } from "../../durations.ts";

// Rollups are hourly and daily in UTC. Hours and days start at multiples of their length since 1970.

/** Returns the start of the hour that contains a time. @param ms since 1970. */
export function floorToHour(ms: number): number {
  return ms - (ms % HOUR_MS);
}

/** Returns the start of the day that contains a time. @param ms since 1970. */
export function floorToDay(ms: number): number {
  return ms - (ms % DAY_MS);
}

/** Returns the start of the first day that starts at a time or later. @param ms since 1970. */
export function ceilToDay(ms: number): number {
  return Math.ceil(ms / DAY_MS) * DAY_MS;
}
