import type { ErrorCode, GatewayError } from "../errors.ts";

const REFUSALS = [
  "budget_exceeded",
  "budget_reserved",
  "key_blocked",
  "unbounded_cost",
  "store_unavailable",
  "upstream_unreachable",
] as const satisfies readonly ErrorCode[];

/** Counts the decisions of budgets about requests since the start of the process. Each request has at most one. */
export class BudgetDecisions {
  /** Requests admitted without a wait for money. */
  admitted = 0;
  /** Requests admitted after a wait for money. */
  admittedAfterWait = 0;
  /** Starts with the codes that exist, so that the first refusal is an increase of its metric. */
  readonly #refused = new Map<ErrorCode, number>(REFUSALS.map((code) => [code, 0]));

  /** Numbers of refused requests, by the code of the refusal. */
  get refused(): ReadonlyMap<ErrorCode, number> {
    return this.#refused;
  }

  /** Counts a refused request. @returns the refusal. */
  refuse(refusal: GatewayError): GatewayError {
    this.#refused.set(refusal.code, (this.#refused.get(refusal.code) ?? 0) + 1);
    return refusal;
  }
}
