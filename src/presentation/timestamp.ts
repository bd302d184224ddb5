import { z } from "zod";

/** A time in JSON, as {@link formatTimestamp} writes it. */
export const timestampSchema = z.string().describe("ISO 8601, UTC");

/** Creates the schema of a time in JSON. @param meaning begins the description, before the format of the time. */
export function describeTimestamp(meaning: string): z.ZodString {
  return timestampSchema.describe(`${meaning}: ISO 8601, UTC`);
}

/** Creates the schema of a time or null in JSON. @param meaning also states the meaning of null. */
export function describeOptionalTimestamp(meaning: string): z.ZodNullable<z.ZodString> {
  return timestampSchema.nullable().describe(`${meaning}: ISO 8601, UTC`);
}

/** Formats a time for JSON, CSV and tables. @param ms since 1970. @returns ISO 8601 in UTC, with milliseconds. */
export function formatTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}

/** Formats a time like {@link formatTimestamp}; returns null for null. */
export function formatOptionalTimestamp(ms: number | null): string | null {
  return ms === null ? null : formatTimestamp(ms);
}
