import type { BudgetPeriod } from "../../../src/limits/limit-settings.ts";

// The reference that the budgets of the gateway are compared with. It knows no leases and no database: only the requests, and
// what upstream has billed for each. Amounts are in nanodollars.

const DAY_MS = 86_400_000;

/** A budget of a scope, such as `key:a`. */
export interface ModelBudget {
  readonly scope: string;
  readonly period: BudgetPeriod;
  limit: number;
}

/** A request that a process admitted. */
export interface ModelRequest {
  readonly id: string;
  /** The process that admitted it. */
  readonly instance: string;
  /** The budgets that it counts in, by their periods: `key:a day 1790000000000`. */
  readonly budgets: readonly string[];
  readonly worstCase: number;
  /** The bill of upstream; undefined while the request runs. A running request may cost its worst case. */
  billed: number | undefined;
  /** Whether the gateway may know the bill. */
  isBillKnown: boolean;
  /** Whether another process may have taken the request over. Its worst case may then be presumed. */
  isAdopted: boolean;
}

/** Formats a budget in the period that contains a time. @param at ms since 1970. */
export function formatPeriod({ scope, period }: ModelBudget, at: number): string {
  return `${scope} ${period} ${findStart(period, at)}`;
}

function findStart(period: BudgetPeriod, at: number): number {
  const date = new Date(at);
  if (period === "total") return 0;
  if (period === "month") return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  const day = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
  return period === "day" ? day : day - ((date.getUTCDay() + 6) % 7) * DAY_MS;
}

export class Reference {
  readonly requests = new Map<string, ModelRequest>();
  /** Whether the bill of any request exceeded its worst case. */
  hasOverrun = false;

  /** Marks the requests of a process, which another process may take over. */
  markAdopted(instance: string): void {
    for (const request of this.requests.values()) if (request.instance === instance) request.isAdopted = true;
  }

  /** The requests of a period of a budget. */
  list(period: string): ModelRequest[] {
    return [...this.requests.values()].filter(({ budgets }) => budgets.includes(period));
  }

  /** The most that upstream can bill in a period: bills, and worst cases of running requests. Bills above them are left out. */
  sumPossibleBills(period: string): number {
    return sum(this.list(period).map(({ billed, worstCase }) => Math.min(billed ?? worstCase, worstCase)));
  }

  /** The bills of a period above the worst cases of their requests. */
  sumOverruns(period: string): number {
    return sum(this.list(period).map(({ billed, worstCase }) => Math.max(0, (billed ?? 0) - worstCase)));
  }

  /** The most that the gateway may count as spent or presumed in a period: all, but not the reservations of running requests. */
  sumCounted(period: string): number {
    return sum(
      this.list(period).map(({ billed, isBillKnown, isAdopted, worstCase }) => {
        if (billed !== undefined && isBillKnown && !isAdopted) return billed;
        return billed === undefined && !isAdopted ? 0 : Math.max(worstCase, billed ?? 0);
      }),
    );
  }
}

export function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}
