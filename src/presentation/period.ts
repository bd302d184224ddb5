import { z } from "zod";
import { GatewayError } from "../errors.ts";
import { DAY_MS, HOUR_MS } from "../durations.ts";

const DEFAULT_DAYS = 30;

const isoDate = z.iso.date();
const isoTime = z.iso.datetime({ offset: true });
/** Parses a date (its midnight in UTC) or a time with a zone to ms since 1970. */
// A single string schema: in an OpenAPI description, a union of the two would be ambiguous.
export const dateSchema = z
  .string()
  .refine(
    (text) => isoDate.safeParse(text).success || isoTime.safeParse(text).success,
    "must be a date such as 2026-11-01, or a time such as 2026-11-01T12:00:00Z",
  )
  .transform((text) => Date.parse(text));

/** Query parameters that select a period. */
export const periodQueryFields = {
  from: dateSchema
    .optional()
    .describe("Start: a date (UTC) or a time with a zone in ISO 8601; default: 30 days before `to`"),
  to: dateSchema
    .optional()
    .describe("Exclusive end: a date (UTC) or a time with a zone in ISO 8601; default: now"),
};

/** Query parameters that select the period of a report. A report consists of hourly sums. */
export const hourQueryFields = {
  from: dateSchema
    .optional()
    .describe(
      "Start: a date, or the beginning of an hour, in ISO 8601 and UTC; default: 30 days before `to`",
    ),
  to: dateSchema
    .optional()
    .describe(
      "Exclusive end: a date, or the beginning of an hour, in ISO 8601 and UTC; default: the end of the current hour",
    ),
};

/**
 * Fills in the defaults of a period as `periodQueryFields` describes them.
 * @param now ms since 1970, like the start and the end of the period.
 * @throws GatewayError invalid_value if the period ends before it begins.
 */
export function resolvePeriod(
  { from, to }: { from?: number | undefined; to?: number | undefined },
  now: number,
): { from: number; to: number } {
  const end = to ?? now;
  const start = from ?? end - DEFAULT_DAYS * DAY_MS;
  if (start >= end)
    throw new GatewayError("invalid_value", "from must be before to, whose default is now.", {
      param: "from",
    });
  return { from: start, to: end };
}

/**
 * Fills in the defaults of a report's period as `hourQueryFields` describes them. Periods consist of whole hours, so that
 * two adjacent periods never count a request twice.
 * @param now ms since 1970, like the start and the end of the period.
 * @returns two beginnings of hours; the hour that begins at `to` is not included.
 * @throws GatewayError invalid_value if `from` or `to` is given and is not the beginning of an hour, or if the period ends
 * before it begins.
 */
export function resolveHours(
  { from, to }: { from?: number | undefined; to?: number | undefined },
  now: number,
): { from: number; to: number } {
  requireWholeHour("from", from);
  requireWholeHour("to", to);
  // At the exact beginning of an hour, that hour is the current hour.
  const end = to ?? floorToHour(now) + HOUR_MS;
  return resolvePeriod({ from: from ?? floorToHour((to ?? now) - DEFAULT_DAYS * DAY_MS), to: end }, now);
}

function requireWholeHour(param: "from" | "to", at: number | undefined): void {
  if (at === undefined || at % HOUR_MS === 0) return;
  const [before, after] = [floorToHour(at), ceilToHour(at)].map((hour) =>
    new Date(hour).toISOString().replace(":00.000Z", ":00Z"),
  );
  const otherwise = param === "to" ? ", or leave it out for everything up to now" : "";
  throw new GatewayError(
    "invalid_value",
    `${param} must be the beginning of an hour in UTC, because reports consist of whole hours. Use ${before} or ${after}${otherwise}.`,
    { param },
  );
}

function floorToHour(at: number): number {
  return Math.floor(at / HOUR_MS) * HOUR_MS;
}

function ceilToHour(at: number): number {
  return Math.ceil(at / HOUR_MS) * HOUR_MS;
}
