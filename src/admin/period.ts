import { z } from "zod";
import { GatewayError } from "../errors.ts";

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;

const date = z.iso.date();
const time = z.iso.datetime({ offset: true });
/** A date, which is its midnight in UTC, or a time with a zone; gives ms since 1970. */
// One text, because the description of the API could not tell the two apart.
export const moment = z
  .string()
  .refine(
    (text) => date.safeParse(text).success || time.safeParse(text).success,
    "must be a date such as 2026-11-01, or a time such as 2026-11-01T12:00:00Z",
  )
  .transform((text) => Date.parse(text));

/** Fields of a query that say for which time. */
export const periodFields = {
  from: moment.optional().describe("A date or a time; default: 30 days before `to`"),
  to: moment.optional().describe("A date or a time, not included; default: now"),
};

/** A time from and up to which, in ms since 1970. @throws GatewayError invalid_value when it ends before it begins. */
export function periodOf(
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
