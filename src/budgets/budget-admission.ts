import { LRUCache } from "lru-cache";
import { boundCache } from "../limits/cache-bound.ts";
import { isBusy } from "../store/database-errors.ts";
import { BudgetAccount, type Waiter } from "./budget-account.ts";
import type { Allowance } from "./allowance.ts";
import { BudgetDecisions } from "./budget-decisions.ts";
import type { BudgetStore } from "./budget-store.ts";
import {
  type BudgetDefinition,
  type BudgetedKey,
  hasBudgets,
  hasEndUserBudgets,
  listBudgets,
} from "./definitions.ts";
import { HeldReservation } from "./held-reservation.ts";
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
/** Time between two draws of waiting requests, if the first one failed. */
const RETRY_MS = 50;
/** The amounts of soft budgets are read every second while requests use them, and again if they are older than this. */
const SPENDING_MAX_AGE_MS = 2_500;
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
  /** The time in ms since 1970; default: `Date.now`. It selects the period. */
  readonly now?: () => number;
}

/** The accounts of a key: of requests without an end user, and of those with one. */
interface KeyAccounts {
  plain: BudgetAccount | undefined;
  readonly byEndUser: LRUCache<string, BudgetAccount>;
}

/**
 * Admits requests to the budgets of their keys, groups and end users. A request of a hard budget is admitted if its worst-case
 * cost is available in the leases of this process. Otherwise it waits until the process has drawn more money from the
 * database. Far from a limit, leases cover the requests of about two seconds, so nearly no request waits.
 */
export class BudgetAdmission {
  readonly decisions = new BudgetDecisions();
  readonly #options: BudgetAdmissionOptions;
  readonly #now: () => number;
  readonly #keeper: LeaseKeeper;
  /** Accounts by key. The cache of keys replaces the object of a key when its settings change. */
  readonly #accounts = new WeakMap<BudgetedKey, KeyAccounts>();
  /** Accounts with waiting requests. */
  readonly #waiting = new Set<BudgetAccount>();
  #waiters = 0;
  readonly #wakeWaiting = (): void => {
    for (const account of this.#waiting) account.wake();
  };

  constructor(options: BudgetAdmissionOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
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
  find(key: BudgetedKey, endUser: string | undefined): BudgetAccount | undefined {
    if (key.blockedUntil > 0 && key.blockedUntil > this.#now())
      throw this.decisions.refuse(createBlockedError(key.blockedUntil));
    let accounts = this.#accounts.get(key);
    if (!accounts) {
      if (!hasBudgets(key)) return undefined;
      accounts = { plain: undefined, byEndUser: new LRUCache(boundCache(END_USERS_MAX)) };
      this.#accounts.set(key, accounts);
    }
    const now = this.#now();
    // End users without budgets share an account, because each account with waiting requests asks for money on its own.
    const name = endUser !== undefined && hasEndUserBudgets(key) ? endUser : undefined;
    const known = name === undefined ? accounts.plain : accounts.byEndUser.get(name);
    if (known?.isCurrent(now)) return known;
    const account = this.#createAccount(listBudgets(key, name, now));
    if (!account) return undefined;
    if (name === undefined) accounts.plain = account;
    else accounts.byEndUser.set(name, account);
    return account;
  }

  #createAccount(definitions: readonly BudgetDefinition[]): BudgetAccount | undefined {
    if (definitions.length === 0) return undefined;
    return new BudgetAccount(definitions, (definition) => this.#keeper.find(definition));
  }

  /**
   * Admits a request.
   * @param worstCase the highest cost of the request in nanodollars. Soft budgets do not need it.
   * @returns the reservation; undefined if the account has no hard budget; a promise if the request has to wait.
   * @throws GatewayError budget_exceeded, budget_reserved, or store_unavailable; also as a rejection.
   */
  admit(
    account: BudgetAccount,
    worstCase: number,
  ): Reservation | undefined | Promise<Reservation | undefined> {
    if (account.soft.length > 0 && isStale(account)) return this.#admitAfterRead(account, worstCase);
    return this.#admitRead(account, worstCase);
  }

  async #admitAfterRead(account: BudgetAccount, worstCase: number): Promise<Reservation | undefined> {
    try {
      await this.#keeper.readSpending(account.soft);
    } catch (error) {
      // A soft budget continues with the last amounts while the database does not respond.
      if (account.soft.some(({ isRead }) => !isRead))
        throw this.decisions.refuse(createUnavailableError(error));
    }
    return this.#admitRead(account, worstCase);
  }

  #admitRead(
    account: BudgetAccount,
    worstCase: number,
  ): Reservation | undefined | Promise<Reservation | undefined> {
    account.markUsed();
    const usedUp = account.soft.find(({ left }) => left <= 0);
    if (usedUp) throw this.decisions.refuse(createUsedUpError(usedUp));
    if (account.waiters.length === 0 && account.fits(worstCase)) {
      this.decisions.admitted++;
      return this.#reserve(account, worstCase);
    }
    const exceeded = findExceeded(account, worstCase);
    if (exceeded) throw this.decisions.refuse(createExceededError(exceeded, worstCase));
    return this.#wait(account, worstCase);
  }

  #reserve(account: BudgetAccount, worstCase: number): Reservation {
    // The record must belong to the periods of the reservation, even if one of them ended while the request waited.
    const admittedAt = account.clampTime(this.#now());
    const reservation = new HeldReservation(account, worstCase, admittedAt, this.#wakeWaiting);
    for (const allowance of account.hard) this.#keeper.refillIfLow(allowance);
    return reservation;
  }

  #wait(account: BudgetAccount, worstCase: number): Promise<Reservation> {
    if (this.#waiters >= WAITERS_MAX) throw this.decisions.refuse(createCrowdedError());
    const { promise, resolve, reject } = Promise.withResolvers<Reservation>();
    const waiter: Waiter = {
      worstCase,
      resolve: (reservation) => {
        this.decisions.admittedAfterWait++;
        resolve(reservation);
      },
      reject: (refusal) => reject(this.decisions.refuse(refusal)),
      isLate: false,
      blockedBy: undefined,
      timer: setTimeout(() => account.makeLate(waiter), this.#options.waitMs),
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
  async #serveWaiters(account: BudgetAccount): Promise<void> {
    account.isDrawing = true;
    this.#waiting.add(account);
    try {
      for (;;) {
        this.#admitWaiters(account);
        if (account.waiters.length === 0) break;
        if (await this.#tryToDraw(account)) continue;
        await account.pause(RETRY_MS, () => this.#admitWaiters(account));
      }
    } catch (error) {
      account.refuse(
        () => true,
        () => createUnavailableError(error),
      );
    } finally {
      account.isDrawing = false;
      this.#waiting.delete(account);
    }
    // A request that arrived after the last check found `isDrawing` set.
    if (account.waiters.length > 0) void this.#serveWaiters(account);
  }

  /**
   * Draws money for waiting requests, and refuses those that no longer wait.
   * @returns whether there was enough money. @throws the error of the database, unless it was only busy.
   */
  async #tryToDraw(account: BudgetAccount): Promise<boolean> {
    try {
      const blocking = await this.#drawForWaiters(account);
      if (blocking.length === 0) return true;
      account.refuseExceeded(blocking);
      account.refuseLate(blocking);
      for (const { id } of blocking) this.#options.store.requestReturn(id);
    } catch (error) {
      if (!isBusy(error)) throw error;
      account.refuse(
        ({ isLate }) => isLate,
        () => createUnavailableError(error),
      );
    }
    return false;
  }

  #admitWaiters(account: BudgetAccount): void {
    const admitted: { readonly waiter: Waiter; readonly reservation: Reservation }[] = [];
    account.takeWaiters((waiter) => {
      if (!account.fits(waiter.worstCase)) return false;
      admitted.push({ waiter, reservation: this.#reserve(account, waiter.worstCase) });
      return true;
    });
    for (const { waiter, reservation } of admitted) waiter.resolve(reservation);
  }

  /** Draws money for at least one waiting request. @returns the budgets that have too little; none if the draw succeeded. */
  async #drawForWaiters(account: BudgetAccount): Promise<readonly Allowance[]> {
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
    return drawn ? [] : short;
  }

  /**
   * Stops adjusting leases, and gives the idle money back. Called when no request is in flight.
   * @returns whether all money could be given back.
   */
  async close(): Promise<boolean> {
    return this.#keeper.close();
  }
}

/** Whether the amounts of a soft budget are too old, because no request has used it for a while. */
function isStale({ soft }: BudgetAccount): boolean {
  const oldest = performance.now() - SPENDING_MAX_AGE_MS;
  return soft.some(({ readAt }) => readAt < oldest);
}

/**
 * Finds a budget whose spent amount alone leaves too little for a request. It never decreases, so the last known amount is
 * enough, and a client that repeats refused requests causes no load on the database.
 */
function findExceeded({ hard }: BudgetAccount, worstCase: number): Allowance | undefined {
  return hard.find(({ limit, spent }) => limit - spent < worstCase);
}
