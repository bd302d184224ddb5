import { z } from "zod";

/** A time in JSON, as {@link formatTimestamp} writes it. */
export const timestampSchema = z.string().describe("ISO 8601, UTC");

/** Formats a time for JSON, CSV and tables. @param ms since 1970. @returns ISO 8601 in UTC, with milliseconds. */
export function formatTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}

/** Formats a time like {@link formatTimestamp}; returns null for null. */
export function formatOptionalTimestamp(ms: number | null): string | null {
  return ms === null ? null : formatTimestamp(ms);
}
