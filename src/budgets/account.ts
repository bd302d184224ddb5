import type { GatewayError } from "../errors.ts";
import type { Allowance } from "./allowance.ts";
import { formatReservedIn } from "./budget-id.ts";
import type { BudgetDefinition } from "./definitions.ts";
import type { Reservation } from "./reservation.ts";
import { createExceededError, createReservedError, createUnavailableError } from "./refusals.ts";

/** A request that waits for money. */
export interface Waiter {
  readonly worstCase: number;
  /** Until this time on the monotonic clock in ms, the request waits for money that requests in flight hold. */
  readonly waitsUntil: number;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (reservation: Reservation) => void;
  readonly reject: (error: GatewayError) => void;
}

/** The budgets of the requests of one key, or of one end user of a key. */
export class Account {
  /** A request must fit in these at its worst-case cost. */
  readonly hard: readonly Allowance[];
  /** A request is admitted while less than the limit of each is spent. */
  readonly soft: readonly Allowance[];
  /** The hard budgets, as stored in records. */
  readonly reservedIn: string;
  /** The time from which and until which the periods of all budgets are current, in ms since 1970. */
  readonly #startsAt: number;
  readonly #endsAt: number;
  /** Requests that wait for money, the oldest first. */
  waiters: Waiter[] = [];
  isDrawing = false;
  /** The allowance that the last draw failed for; undefined if no draw has failed. */
  blockedBy: Allowance | undefined = undefined;
  #wake: () => void = () => {};

  constructor(definitions: readonly BudgetDefinition[], find: (definition: BudgetDefinition) => Allowance) {
    const hard = definitions.filter(({ mode }) => mode === "hard");
    this.hard = hard.map(find);
    this.soft = definitions.filter(({ mode }) => mode === "soft").map(find);
    this.reservedIn = formatReservedIn(hard.map(({ kind, id }) => [kind, id.period] as const));
    this.#startsAt = Math.max(...definitions.map(({ id }) => id.startsAt));
    this.#endsAt = Math.min(...definitions.map(({ endsAt }) => endsAt));
  }

  /** Whether the periods of all budgets contain a time, in ms since 1970, and their leases are still kept. */
  isCurrent(now: number): boolean {
    if (now < this.#startsAt || now >= this.#endsAt) return false;
    for (const allowance of this.hard) if (allowance.isForgotten) return false;
    for (const allowance of this.soft) if (allowance.isForgotten) return false;
    return true;
  }

  /** Marks the allowances as used, so that their leases and spent amounts are kept up to date. */
  markUsed(): void {
    for (const allowance of this.hard) allowance.isUsed = true;
    for (const allowance of this.soft) allowance.isUsed = true;
  }

  /** Returns the time nearest to `now` that is in the periods of all budgets, in ms since 1970. */
  clampTime(now: number): number {
    return Math.max(this.#startsAt, Math.min(now, this.#endsAt - 1));
  }

  /** Whether the idle money of this process is enough for a request. */
  fits(worstCase: number): boolean {
    for (const allowance of this.hard) if (allowance.idle < worstCase) return false;
    return true;
  }

  /** The refusal of a request that has waited for too long. */
  createTimeoutError(worstCase: number): GatewayError {
    const { blockedBy } = this;
    return blockedBy
      ? createReservedError(blockedBy, worstCase)
      : createUnavailableError(new Error("the database did not respond in time"));
  }

  /** Removes and returns the waiters that a predicate selects. */
  takeWaiters(select: (waiter: Waiter) => boolean): Waiter[] {
    const taken: Waiter[] = [];
    const left: Waiter[] = [];
    for (const waiter of this.waiters) (select(waiter) ? taken : left).push(waiter);
    this.waiters = left;
    for (const { timer } of taken) clearTimeout(timer);
    return taken;
  }

  /**
   * Refuses the waiters whose worst-case cost exceeds what is left of a budget, whatever requests in flight will cost.
   * @param allowances those whose spent amounts were just read.
   */
  refuseExceeded(allowances: readonly Allowance[]): void {
    for (const allowance of allowances) {
      for (const { worstCase, reject } of this.takeWaiters(({ worstCase: cost }) => cost > allowance.left))
        reject(createExceededError(allowance, worstCase));
    }
  }

  /** Refuses the waiters that have waited long enough for money. Called after a draw has failed. @param now monotonic clock in ms. */
  refuseLate(now: number): void {
    for (const { worstCase, reject } of this.takeWaiters(({ waitsUntil }) => waitsUntil <= now))
      reject(this.createTimeoutError(worstCase));
  }

  /** Wakes `waitForChange`. */
  wake(): void {
    this.#wake();
  }

  /** Waits until `wake` is called, at most `timeoutMs`. */
  async waitForChange(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
    this.#wake = () => {};
  }
}
