import { z } from "zod";

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;

const moment = z
  .union(
    [
      z.iso.date().transform((date) => Date.parse(`${date}T00:00:00Z`)),
      z.iso.datetime({ offset: true }).transform(Date.parse),
    ],
    { error: "must be a date such as 2026-11-01, or a time such as 2026-11-01T12:00:00Z" },
  )
  .optional();

/** Fields of a query that say for which time. */
export const periodFields = {
  from: moment.describe("A date or a time; default: 30 days before `to`"),
  to: moment.describe("A date or a time, not included; default: now"),
};

/** A time from and up to which, in ms since 1970. */
export function periodOf(
  { from, to }: { from?: number | undefined; to?: number | undefined },
  now: number,
): { from: number; to: number } {
  const end = to ?? now;
  return { from: from ?? end - DEFAULT_DAYS * DAY_MS, to: end };
}
