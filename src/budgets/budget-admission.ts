import { LRUCache } from "lru-cache";
import type { GatewayError } from "../errors.ts";
import { boundCache } from "../limits/cache-bound.ts";
import { Account, type Waiter } from "./account.ts";
import type { Allowance } from "./allowance.ts";
import type { BudgetStore } from "./budget-store.ts";
import { type BudgetDefinition, type BudgetedKey, hasBudgets, listBudgets } from "./definitions.ts";
import { HeldReservation, type ReservationHooks } from "./held-reservation.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import {
  createBlockedError,
  createCrowdedError,
  createExceededError,
  createUnavailableError,
  createUsedUpError,
} from "./refusals.ts";
import type { Reservation } from "./reservation.ts";

/** Maximum number of end users of a key whose accounts are cached. */
const END_USERS_MAX = 10_000;
/** Maximum number of requests that wait for money. */
const WAITERS_MAX = 10_000;
/** A waiting request asks for money again after this time, unless money was returned before. */
const RETRY_MS = 50;
/** A request waits at least this long for the reply of the database, even if it must not wait for money. */
const DRAW_MS = 1_000;
/** A draw for a few requests takes money for this many, so that a burst does not draw for each request. */
const REQUESTS_PER_DRAW = 8;

export interface BudgetAdmissionOptions {
  readonly store: BudgetStore;
  /** How long a request waits for money that requests in flight hold, in ms. */
  readonly waitMs: number;
  /** Called when the leases of this process could not be adjusted; they will be later. */
  readonly onFailure: (error: unknown) => void;
  /** Whether rows of ended requests wait in the journal; default: never. */
  readonly hasUnwrittenRows?: () => boolean;
  /** Whether other processes may have taken this one for dead since a time, in ms since 1970; default: never. */
  readonly mayBePresumedDead?: (since: number) => boolean;
  /** The time in ms since 1970; default: `Date.now`. It selects the period. */
  readonly now?: () => number;
}

/** The accounts of a key: of requests without an end user, and of those with one. */
interface KeyAccounts {
  plain: Account | undefined;
  readonly byEndUser: LRUCache<string, Account>;
}

/**
 * Admits requests to the budgets of their keys, groups and end users. A request of a hard budget is admitted if its worst-case
 * cost is available in the leases of this process. Otherwise it waits until the process has drawn more money from the
 * database. Far from a limit, leases cover the requests of about two seconds, so nearly no request waits.
 */
export class BudgetAdmission {
  readonly #options: BudgetAdmissionOptions;
  readonly #now: () => number;
  readonly #keeper: LeaseKeeper;
  readonly #hooks: ReservationHooks;
  /** Accounts by key. The cache of keys replaces the object of a key when its settings change. */
  readonly #accounts = new WeakMap<BudgetedKey, KeyAccounts>();
  /** Accounts with waiting requests. */
  readonly #waiting = new Set<Account>();
  #waiters = 0;
  readonly #wakeWaiting = (): void => {
    for (const account of this.#waiting) account.wake();
  };

  constructor(options: BudgetAdmissionOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#hooks = {
      onFreed: this.#wakeWaiting,
      mayBePresumedDead: options.mayBePresumedDead ?? (() => false),
    };
    this.#keeper = new LeaseKeeper({
      store: options.store,
      onFailure: options.onFailure,
      hasUnwrittenRows: options.hasUnwrittenRows ?? (() => false),
      onReturned: this.#wakeWaiting,
    });
  }

  /**
   * Finds the budgets of a request.
   * @param endUser the name of the end user as stored in records.
   * @returns undefined if there are none.
   * @throws GatewayError key_blocked.
   */
  find(key: BudgetedKey, endUser: string | undefined): Account | undefined {
    if (key.blockedUntil > 0 && key.blockedUntil > this.#now()) throw createBlockedError(key.blockedUntil);
    let accounts = this.#accounts.get(key);
    if (!accounts) {
      if (!hasBudgets(key)) return undefined;
      accounts = { plain: undefined, byEndUser: new LRUCache(boundCache(END_USERS_MAX)) };
      this.#accounts.set(key, accounts);
    }
    const now = this.#now();
    const known = endUser === undefined ? accounts.plain : accounts.byEndUser.get(endUser);
    if (known?.isCurrent(now)) return known;
    const account = this.#createAccount(listBudgets(key, endUser, now));
    if (!account) return undefined;
    if (endUser === undefined) accounts.plain = account;
    else accounts.byEndUser.set(endUser, account);
    return account;
  }

  #createAccount(definitions: readonly BudgetDefinition[]): Account | undefined {
    if (definitions.length === 0) return undefined;
    return new Account(definitions, (definition) => this.#keeper.find(definition));
  }

  /**
   * Admits a request.
   * @param worstCase the highest cost of the request in nanodollars. Soft budgets do not need it.
   * @returns the reservation; undefined if the account has no hard budget; a promise if the request has to wait.
   * @throws GatewayError budget_exceeded, budget_reserved, or store_unavailable; also as a rejection.
   */
  admit(account: Account, worstCase: number): Reservation | undefined | Promise<Reservation | undefined> {
    if (account.soft.some(({ isRead }) => !isRead)) return this.#admitAfterRead(account, worstCase);
    return this.#admitRead(account, worstCase);
  }

  async #admitAfterRead(account: Account, worstCase: number): Promise<Reservation | undefined> {
    try {
      await this.#keeper.readSpending(account.soft);
    } catch (error) {
      throw createUnavailableError(error);
    }
    return this.#admitRead(account, worstCase);
  }

  #admitRead(
    account: Account,
    worstCase: number,
  ): Reservation | undefined | Promise<Reservation | undefined> {
    // Before the refusals: a presumed cost may be corrected, and the amounts are read again only while they are used.
    account.markUsed();
    for (const allowance of account.soft) if (allowance.left <= 0) throw createUsedUpError(allowance);
    if (account.waiters.length === 0 && account.fits(worstCase)) return this.#reserve(account, worstCase);
    const exceeded = findExceeded(account, worstCase);
    if (exceeded) throw createExceededError(exceeded, worstCase);
    return this.#wait(account, worstCase);
  }

  #reserve(account: Account, worstCase: number): Reservation {
    // The record must belong to the periods of the reservation, even if one of them ended while the request waited.
    const admittedAt = account.clampTime(this.#now());
    const reservation = new HeldReservation(account, worstCase, admittedAt, this.#hooks);
    for (const allowance of account.hard) this.#keeper.refillIfLow(allowance);
    return reservation;
  }

  #wait(account: Account, worstCase: number): Promise<Reservation> {
    if (this.#waiters >= WAITERS_MAX) throw createCrowdedError();
    const { promise, resolve, reject } = Promise.withResolvers<Reservation>();
    const { waitMs } = this.#options;
    const waiter: Waiter = {
      worstCase,
      waitsUntil: performance.now() + waitMs,
      resolve,
      reject,
      timer: setTimeout(
        () => {
          account.takeWaiters((one) => one === waiter);
          reject(account.createTimeoutError(worstCase));
        },
        Math.max(waitMs, DRAW_MS),
      ),
    };
    account.waiters.push(waiter);
    this.#waiters++;
    const leave = (): void => {
      this.#waiters--;
    };
    promise.then(leave, leave);
    if (!account.isDrawing) void this.#serveWaiters(account);
    return promise;
  }

  /** Draws money for the waiting requests of an account until none waits. */
  async #serveWaiters(account: Account): Promise<void> {
    account.isDrawing = true;
    this.#waiting.add(account);
    try {
      for (;;) {
        this.#admitWaiters(account);
        if (account.waiters.length === 0) break;
        const blocking = await this.#drawForWaiters(account);
        if (blocking.length === 0) continue;
        account.refuseExceeded(blocking);
        account.refuseLate(performance.now());
        for (const { id } of blocking) this.#options.store.requestReturn(id);
        if (account.waiters.length > 0) await account.waitForChange(RETRY_MS);
      }
    } catch (error) {
      refuseAll(account, createUnavailableError(error));
    } finally {
      account.isDrawing = false;
      this.#waiting.delete(account);
    }
    // A request that arrived after the last check found `isDrawing` set.
    if (account.waiters.length > 0) void this.#serveWaiters(account);
  }

  #admitWaiters(account: Account): void {
    // One pass, in which each reservation leaves less for the next waiter: thousands of requests may wait.
    account.takeWaiters(({ worstCase, resolve }) => {
      if (!account.fits(worstCase)) return false;
      resolve(this.#reserve(account, worstCase));
      return true;
    });
  }

  /** Draws money for at least one waiting request. @returns the budgets that have too little; none if the draw succeeded. */
  async #drawForWaiters(account: Account): Promise<readonly Allowance[]> {
    const costs = account.waiters.map(({ worstCase }) => worstCase);
    const smallest = Math.min(...costs);
    const total = costs.reduce((sum, cost) => sum + cost, 0);
    const short = account.hard.filter(({ idle }) => idle < smallest);
    const wanted = Math.max(total, REQUESTS_PER_DRAW * smallest);
    const drawn = await this.#keeper.draw(
      short.map((allowance) => ({
        allowance,
        least: smallest - allowance.idle,
        wanted: Math.max(wanted, allowance.target) - allowance.idle,
      })),
    );
    if (drawn) {
      account.blockedBy = undefined;
      return [];
    }
    account.blockedBy = short.reduce((a, b) => (b.left < a.left ? b : a));
    return short;
  }

  /**
   * Stops adjusting leases, and gives the idle money back. Called when no request is in flight.
   * @returns whether all money could be given back.
   */
  async close(): Promise<boolean> {
    return this.#keeper.close();
  }
}

/**
 * Finds a budget whose spent amount alone leaves too little for a request. It never decreases, so the last known amount is
 * enough, and a client that repeats refused requests causes no load on the database.
 */
function findExceeded({ hard }: Account, worstCase: number): Allowance | undefined {
  return hard.find(({ limit, spent }) => limit - spent < worstCase);
}

function refuseAll(account: Account, error: GatewayError): void {
  for (const { reject } of account.takeWaiters(() => true)) reject(error);
}
