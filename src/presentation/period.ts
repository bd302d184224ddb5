import { z } from "zod";
import { GatewayError } from "../errors.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;

const date = z.iso.date();
const time = z.iso.datetime({ offset: true });
/** A date, which is its midnight in UTC, or a time with a zone; gives ms since 1970. */
// One text, because the description of the API could not tell the two apart.
export const dateSchema = z
  .string()
  .refine(
    (text) => date.safeParse(text).success || time.safeParse(text).success,
    "must be a date such as 2026-11-01, or a time such as 2026-11-01T12:00:00Z",
  )
  .transform((text) => Date.parse(text));

/** Fields of a query that say for which time. */
export const periodQueryFields = {
  from: dateSchema.optional().describe("A date or a time; default: 30 days before `to`"),
  to: dateSchema.optional().describe("A date or a time, not included; default: now"),
};

/** The same of a report, which is made of sums by the hour. */
export const hourQueryFields = {
  from: dateSchema
    .optional()
    .describe("A date, or the beginning of an hour in UTC; default: 30 days before `to`"),
  to: dateSchema
    .optional()
    .describe(
      "A date, or the beginning of an hour in UTC, not included; default: now, with the current hour",
    ),
};

/** A time from and up to which, in ms since 1970. @throws GatewayError invalid_value when it ends before it begins. */
export function resolvePeriod(
  { from, to }: { from?: number | undefined; to?: number | undefined },
  now: number,
): { from: number; to: number } {
  const end = to ?? now;
  const start = from ?? end - DEFAULT_DAYS * DAY_MS;
  if (start >= end)
    throw new GatewayError("invalid_value", "from must be before to, which is now if left out.", {
      param: "from",
    });
  return { from: start, to: end };
}

/**
 * The hours of a report, so that of two periods that meet each request is in one.
 * @param period ms since 1970; what is left out is as `hourQueryFields` says.
 * @returns the beginnings of hours; the last one is not included.
 * @throws GatewayError invalid_value when either is given and not the beginning of an hour, or when it ends before it begins.
 */
export function resolveHours(
  { from, to }: { from?: number | undefined; to?: number | undefined },
  now: number,
): { from: number; to: number } {
  requireHour("from", from);
  requireHour("to", to);
  // An hour that has just begun is the current one.
  const end = to ?? hourBefore(now) + HOUR_MS;
  return resolvePeriod({ from: from ?? hourBefore((to ?? now) - DEFAULT_DAYS * DAY_MS), to: end }, now);
}

function requireHour(param: "from" | "to", at: number | undefined): void {
  if (at === undefined || at % HOUR_MS === 0) return;
  const [before, after] = [hourBefore(at), hourAfter(at)].map((hour) =>
    new Date(hour).toISOString().replace(":00.000Z", ":00Z"),
  );
  const otherwise = param === "to" ? ", or leave it out for everything up to now" : "";
  throw new GatewayError(
    "invalid_value",
    `${param} must be the beginning of an hour in UTC, because reports are made of whole hours. Use ${before} or ${after}${otherwise}.`,
    { param },
  );
}

function hourBefore(at: number): number {
  return Math.floor(at / HOUR_MS) * HOUR_MS;
}

function hourAfter(at: number): number {
  return Math.ceil(at / HOUR_MS) * HOUR_MS;
}
