import { DAY_MS } from "../durations.ts";
import type { BudgetPeriod } from "../limits/limit-settings.ts";

/** 1 January 1970 was a Thursday, three days after the start of its week (Monday). */
const WEEK_SHIFT_MS = 3 * DAY_MS;

/** A period of a budget, in ms since 1970. */
export interface PeriodBounds {
  readonly startsAt: number;
  /** The time at which the budget renews; Infinity if it never does. */
  readonly endsAt: number;
}

const FIND: Readonly<Record<BudgetPeriod, (ms: number) => PeriodBounds>> = {
  day(ms) {
    const startsAt = ms - (ms % DAY_MS);
    return { startsAt, endsAt: startsAt + DAY_MS };
  },
  week(ms) {
    const startsAt = ms - ((ms + WEEK_SHIFT_MS) % (7 * DAY_MS));
    return { startsAt, endsAt: startsAt + 7 * DAY_MS };
  },
  month(ms) {
    const date = new Date(ms);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
    return { startsAt: Date.UTC(year, month), endsAt: Date.UTC(year, month + 1) };
  },
  total: () => ({ startsAt: 0, endsAt: Infinity }),
};

/** Returns the period that contains a time. Days, weeks (from Monday) and months are those of UTC. @param ms since 1970. */
export function findPeriod(period: BudgetPeriod, ms: number): PeriodBounds {
  return FIND[period](ms);
}
