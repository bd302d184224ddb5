import type { GatewayError } from "../errors.ts";
import type { Allowance } from "./allowance.ts";
import { formatReservedIn } from "./budget-id.ts";
import type { BudgetDefinition } from "./definitions.ts";
import type { Reservation } from "./reservation.ts";
import { createExceededError, createReservedError, createUnavailableError } from "./refusals.ts";

/** A request is refused if a draw takes longer than this after its wait. With the wait of 2 s, no request waits for 3 s. */
const DRAW_TIMEOUT_MS = 900;

/** A request that waits for money. */
export interface Waiter {
  readonly worstCase: number;
  /** Whether the request has waited long enough for money that requests in flight hold. The next draw decides. */
  isLate: boolean;
  /** The budget that the last draw failed for; undefined if no draw has decided about this request yet. */
  blockedBy: Allowance | undefined;
  /** Makes the request late, and then refuses it if the database does not respond. */
  timer: NodeJS.Timeout;
  readonly resolve: (reservation: Reservation) => void;
  readonly reject: (error: GatewayError) => void;
}

/** The budgets of the requests of one key, or of one end user of a key. */
export class BudgetAccount {
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
  #wake: () => void = () => {};
  #hasChanged = false;

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

  /** Removes and returns the waiters that a predicate selects. */
  takeWaiters(select: (waiter: Waiter) => boolean): Waiter[] {
    const taken: Waiter[] = [];
    const remaining: Waiter[] = [];
    for (const waiter of this.waiters) (select(waiter) ? taken : remaining).push(waiter);
    this.waiters = remaining;
    for (const { timer } of taken) clearTimeout(timer);
    return taken;
  }

  /** Refuses the waiters that a predicate selects. */
  refuse(select: (waiter: Waiter) => boolean, createError: (worstCase: number) => GatewayError): void {
    for (const { worstCase, reject } of this.takeWaiters(select)) reject(createError(worstCase));
  }

  /**
   * Refuses the waiters whose worst-case cost exceeds what is left of a budget, whatever requests in flight will cost.
   * @param allowances those whose spent amounts were just read.
   */
  refuseExceeded(allowances: readonly Allowance[]): void {
    for (const allowance of allowances)
      this.refuse(
        ({ worstCase }) => worstCase > allowance.left,
        (worstCase) => createExceededError(allowance, worstCase),
      );
  }

  /**
   * Lets the next draw decide about a request that has waited long enough. If that takes too long, refuses the request by the
   * last draw.
   */
  makeLate(waiter: Waiter): void {
    waiter.isLate = true;
    waiter.timer = setTimeout(() => {
      this.refuse(
        (one) => one === waiter,
        (worstCase) =>
          waiter.blockedBy
            ? createReservedError(waiter.blockedBy, worstCase)
            : createUnavailableError(new Error("the database did not respond in time")),
      );
    }, DRAW_TIMEOUT_MS);
    // Requests that arrived together become late together, and one draw decides about all of them.
    setImmediate(() => this.wake());
  }

  /** Refuses the requests that have waited long enough for money that requests in flight hold. */
  refuseLate(blocking: readonly Allowance[]): void {
    const tightest = blocking.reduce((a, b) => (b.left < a.left ? b : a));
    for (const waiter of this.waiters) waiter.blockedBy = tightest;
    this.refuse(
      ({ isLate }) => isLate,
      (worstCase) => createReservedError(tightest, worstCase),
    );
  }

  /** Called when money may have become available in this process. */
  wake(): void {
    this.#hasChanged = true;
    this.#wake();
  }

  /**
   * Waits for a time, or until no request waits. Without this pause between two draws, each request that ends would cause a
   * draw, and the draws of all replicas would queue for the row of the budget.
   * @param onChange called after `wake`: requests that end can free enough money for those that wait.
   */
  async pause(durationMs: number, onChange: () => void): Promise<void> {
    const pause = { isOver: false };
    const timer = setTimeout(() => {
      pause.isOver = true;
      this.#wake();
    }, durationMs);
    while (!pause.isOver && this.waiters.length > 0) {
      await this.#waitForWake();
      onChange();
    }
    clearTimeout(timer);
  }

  /** Waits until `wake` is called. Returns at once if it was called since the last wait. */
  async #waitForWake(): Promise<void> {
    if (!this.#hasChanged) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = () => {};
    }
    this.#hasChanged = false;
  }
}
