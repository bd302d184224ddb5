import { DAY_MS } from "../durations.ts";
import { GatewayError } from "../errors.ts";
import { END_USER_DIMENSIONS, type UsageQuery } from "../metering/sql/report.ts";
import { resolveHours } from "./period.ts";

/** The parts of a usage query that decide which sums it needs. */
type UsageSelection = Pick<UsageQuery, "by" | "model" | "provider" | "endpoint"> & {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
};

/**
 * Fills in the defaults of a report's period. The sums of end users are daily, and have no model, provider and endpoint.
 * @param now ms since 1970, like the start and the end of the period.
 * @throws GatewayError invalid_value if there are no sums for the query.
 */
export function resolveUsagePeriod(query: UsageSelection, now: number): { from: number; to: number } {
  const { by, from, to } = query;
  if (!by.includes("end_user")) return resolveHours({ from, to }, now);
  requireEndUserSums(query);
  for (const [param, at] of Object.entries({ from, to })) {
    if (at !== undefined && at % DAY_MS !== 0) {
      throw new GatewayError(
        "invalid_value",
        `${param} must be a date in a report by end_user, because its sums are daily.`,
        { param },
      );
    }
  }
  const end = to ?? floorToDay(now) + DAY_MS;
  const period = resolveHours({ from, to: end }, now);
  return { from: floorToDay(period.from), to: end };
}

function requireEndUserSums(query: UsageSelection): void {
  const dimension = query.by.find((name) => !END_USER_DIMENSIONS.includes(name));
  const filter = (["model", "provider", "endpoint"] as const).find((name) => query[name] !== undefined);
  if (dimension === undefined && filter === undefined) return;
  throw new GatewayError(
    "invalid_value",
    `There are no sums by end_user and ${dimension ?? filter}: combine end_user only with key, group and day, or export the requests of an end user.`,
    { param: dimension === undefined ? (filter ?? "by") : "by" },
  );
}

function floorToDay(ms: number): number {
  return ms - (ms % DAY_MS);
}
