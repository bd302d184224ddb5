import type { Account } from "../budgets/account.ts";
import type { BudgetAdmission } from "../budgets/budget-admission.ts";
import type { BudgetedKey } from "../budgets/definitions.ts";
import type { Reservation } from "../budgets/reservation.ts";
import { GatewayError } from "../errors.ts";

/** The highest cost of a request. */
export interface CostBound {
  /** null: the cost has no bound. */
  readonly nanodollars: number | null;
  /** Why the cost has no bound. */
  readonly unbounded: readonly UnboundedReason[];
}

interface UnboundedReason {
  /** Sentence for the client: which field is the cause, and how to bound the cost. */
  readonly note: string;
  readonly param?: string | undefined;
}

/** A request that has to fit in the budgets of its key. */
export interface BudgetRequest {
  readonly key: BudgetedKey;
  /** The name of the end user as stored in records. */
  readonly endUser: string | undefined;
  /** Computes the highest cost. It is a promise if the prices have to be fetched. */
  readonly findWorstCase: () => CostBound | Promise<CostBound>;
}

type MaybeReservation = Reservation | undefined;

/**
 * Admits a request to the budgets of its key, group and end user.
 * @returns the reservation; undefined if the request has no hard budget; a promise if the request has to wait.
 * @throws GatewayError key_blocked, unbounded_cost, budget_exceeded, budget_reserved, store_unavailable; also as a rejection.
 */
export function reserveBudget(
  budgets: BudgetAdmission,
  { key, endUser, findWorstCase }: BudgetRequest,
): MaybeReservation | Promise<MaybeReservation> {
  const account = budgets.find(key, endUser);
  if (!account) return undefined;
  if (account.hard.length === 0) return budgets.admit(account, 0);
  const bound = findWorstCase();
  if (bound instanceof Promise) return reserveLater(budgets, { account, key }, bound);
  return budgets.admit(account, toReservedAmount(bound, key));
}

async function reserveLater(
  budgets: BudgetAdmission,
  { account, key }: { readonly account: Account; readonly key: BudgetedKey },
  bound: Promise<CostBound>,
): Promise<MaybeReservation> {
  return budgets.admit(account, toReservedAmount(await bound, key));
}

/** Returns the amount to reserve in nanodollars. @throws GatewayError unbounded_cost. */
function toReservedAmount({ nanodollars, unbounded }: CostBound, key: BudgetedKey): number {
  const amount = nanodollars ?? key.unboundedReservationNanodollars;
  if (amount !== null) return amount;
  const [reason] = unbounded;
  throw new GatewayError(
    "unbounded_cost",
    `The key has a budget, and the cost of this request has no upper bound. ${reason?.note ?? "Set max_tokens."}`,
    { param: reason?.param },
  );
}
