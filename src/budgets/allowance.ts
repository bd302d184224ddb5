import { type BudgetId, formatBudgetId } from "./budget-id.ts";
import type { Draw, DrawnBudget, Spending, StoredBudget } from "./budget-store.ts";
import type { BudgetDefinition } from "./definitions.ts";

/** The weight of the last second in the average use. */
const LAST_SECOND_WEIGHT = 0.5;
/** A budget without a request for this many seconds is expected to need nothing. */
const QUIET_SECONDS = 3;
/** A lease covers the use of this many seconds, if that much is available. */
const LEASE_SECONDS = 2;

/**
 * The part of a budget that this process may spend without asking the database: its lease, and how much of it requests hold.
 * All amounts are in nanodollars.
 */
export class Allowance implements StoredBudget {
  readonly id: BudgetId;
  /** The text of the id. */
  readonly text: string;
  /** The time at which the budget renews, in ms since 1970; Infinity if it never does. */
  readonly endsAt: number;
  limit: number;
  changedAt: number;
  /** The lease of this process, without the amounts of requests that have ended and are in the database. */
  leased = 0;
  /** Held by requests in flight, and by ended requests that are not in the database yet. */
  held = 0;
  /** Held money that must be given back as soon as a request releases it, because the limit was lowered. */
  #toReclaim = 0;
  /** Released money of this kind, which is no longer part of `leased`, but not given back yet. */
  #reclaimed = 0;
  /** Spent and presumed amounts of all processes, as last read. */
  spent = 0;
  presumed = 0;
  /** Time of that read on the monotonic clock, in ms; -Infinity if there was none. */
  readAt = -Infinity;
  /** Whether a request used the budget since the last tick. */
  isUsed = true;
  /** Time of the last tick after a request, on the monotonic clock in ms. */
  usedAt: number;
  /** Whether the outcome of a draw or a return is unknown, so that the lease in the database can exceed `leased`. */
  isUncertain = false;
  /** Number of draws and returns without a reply of the database. */
  pending = 0;
  /** Whether the keeper of leases no longer adjusts this allowance. An account with it must be created again. */
  isForgotten = false;
  /** Number of changes of the lease and of reservations. A read of the lease is used only if it did not change meanwhile. */
  version = 0;
  /** Reserved since the last tick, and the average of the seconds before. */
  #demand = 0;
  #perSecond = 0;
  #quietSeconds = 0;

  constructor({ id, endsAt, limit, changedAt }: BudgetDefinition, now: number) {
    this.id = id;
    this.text = formatBudgetId(id);
    this.endsAt = endsAt;
    this.limit = limit;
    this.changedAt = changedAt;
    this.usedAt = now;
  }

  /** Whether the spent and presumed amounts have been read. */
  get isRead(): boolean {
    return this.readAt !== -Infinity;
  }

  /** Leased money that no request holds. */
  get idle(): number {
    return this.leased - this.held;
  }

  /** Whether this process has no lease in the database, for certain. */
  get isReturned(): boolean {
    return this.leased === 0 && !this.hasReclaimed && this.pending === 0 && !this.isUncertain;
  }

  /** Whether released money has to be given back because the limit was lowered. */
  get hasReclaimed(): boolean {
    return this.#reclaimed > 0;
  }

  /** Idle money that the next seconds are expected to need. */
  get target(): number {
    return LEASE_SECONDS * Math.max(this.#perSecond, this.#demand);
  }

  /** The limit without the spent and presumed amounts. Reservations are not subtracted. */
  get left(): number {
    return this.limit - this.spent - this.presumed;
  }

  hold(nanodollars: number): void {
    this.held += nanodollars;
    this.#demand += nanodollars;
    this.version++;
  }

  /** Makes held money available again. */
  release(nanodollars: number): void {
    const reclaimed = Math.min(nanodollars, this.#toReclaim);
    this.#toReclaim -= reclaimed;
    this.#reclaimed += reclaimed;
    this.leased -= reclaimed;
    this.held -= nanodollars;
    this.version++;
  }

  /** Removes held money that the database has taken from the lease. */
  commit(nanodollars: number): void {
    this.leased -= nanodollars;
    this.held -= nanodollars;
    this.#toReclaim = Math.min(this.#toReclaim, this.held);
    this.version++;
  }

  /** Stops the use of the whole lease, because it may exceed a lowered limit. The idle money is given back by the caller. */
  reclaim(): void {
    this.#toReclaim = this.held;
  }

  /** Sets the lease to the amount in the database. The database may not know the ends of all requests that hold money. */
  correct(nanodollars: number): void {
    this.leased = nanodollars - this.#reclaimed;
    this.isUncertain = this.held > 0;
  }

  /** Creates a draw. @param least needed in addition to the idle money; the draw fails if less is available. */
  toDraw(least: number, wanted: number): Draw {
    const { id, limit, changedAt } = this;
    return { id, limit, changedAt, least, wanted: Math.max(least, Math.ceil(wanted)) };
  }

  receive(drawn: DrawnBudget): void {
    this.leased += drawn.granted;
    this.version++;
    this.receiveSpending(drawn);
  }

  receiveSpending({ spent, presumed }: Spending): void {
    this.spent = spent;
    this.presumed = presumed;
    this.readAt = performance.now();
  }

  /** Removes idle and reclaimed money, to give it back. @param nanodollars of the idle money. @returns the amount. */
  takeIdle(nanodollars: number): number {
    const taken = Math.max(0, Math.min(Math.floor(nanodollars), this.idle));
    const reclaimed = this.#reclaimed;
    this.leased -= taken;
    this.#reclaimed = 0;
    this.version++;
    return taken + reclaimed;
  }

  /** Updates the average use. Called once a second. @param now monotonic clock in ms. */
  tick(now: number): void {
    if (this.isUsed) this.usedAt = now;
    this.isUsed = false;
    this.#perSecond += LAST_SECOND_WEIGHT * (this.#demand - this.#perSecond);
    // Without this rule, the average of an unused budget would take half a minute to reach 0.
    this.#quietSeconds = this.#demand === 0 ? this.#quietSeconds + 1 : 0;
    if (this.#quietSeconds >= QUIET_SECONDS) this.#perSecond = 0;
    this.#demand = 0;
  }
}
