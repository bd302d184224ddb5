import type { Allowance } from "./allowance.ts";
import type { Account } from "./account.ts";
import type { Reservation } from "./reservation.ts";

/** The functions of its process that a reservation calls. */
export interface ReservationHooks {
  /** Called when money became available to other requests. */
  readonly onFreed: () => void;
  /** Whether other processes may have taken this one for dead since a time, in ms since 1970. */
  readonly mayBePresumedDead: (since: number) => boolean;
}

/** A reservation in the allowances of this process. */
export class HeldReservation implements Reservation {
  readonly nanodollars: number;
  readonly admittedAt: number;
  readonly #account: Account;
  readonly #hooks: ReservationHooks;
  /** The part that the database takes from the lease when the row of the request is written. */
  #fromLease: number;

  constructor(account: Account, nanodollars: number, admittedAt: number, hooks: ReservationHooks) {
    this.#account = account;
    this.nanodollars = nanodollars;
    this.admittedAt = admittedAt;
    this.#fromLease = nanodollars;
    this.#hooks = hooks;
    for (const allowance of account.hard) allowance.hold(nanodollars);
  }

  get reservedIn(): string {
    return this.#account.reservedIn;
  }

  end(costNanodollars: number | undefined): void {
    if (costNanodollars === undefined) return;
    // Soft budgets see the cost at once, and not only when their rows are read again.
    for (const allowance of this.#account.soft) allowance.spent += costNanodollars;
    if (this.#hooks.mayBePresumedDead(this.admittedAt)) {
      // Another process may have taken the whole reservation from the lease, and given the rest of it back to the budget.
      for (const allowance of this.#account.hard) allowance.isUncertain = true;
      return;
    }
    this.#fromLease = Math.min(costNanodollars, this.nanodollars);
    this.#release(this.nanodollars - this.#fromLease);
  }

  commit(): void {
    for (const allowance of this.#account.hard) takeCommitted(allowance, this.#fromLease);
  }

  cancel(): void {
    this.#release(this.nanodollars);
  }

  #release(nanodollars: number): void {
    for (const allowance of this.#account.hard) {
      allowance.held -= nanodollars;
      allowance.version++;
    }
    this.#hooks.onFreed();
  }
}

/** The database has taken the amount from the lease, so this process no longer holds it. */
function takeCommitted(allowance: Allowance, nanodollars: number): void {
  allowance.leased -= nanodollars;
  allowance.held -= nanodollars;
  allowance.version++;
}
