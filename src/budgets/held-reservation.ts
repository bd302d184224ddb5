import type { BudgetAccount } from "./budget-account.ts";
import type { Reservation } from "./reservation.ts";

/** A reservation in the allowances of this process. */
export class HeldReservation implements Reservation {
  readonly nanodollars: number;
  readonly admittedAt: number;
  readonly #account: BudgetAccount;
  readonly #onFreed: () => void;
  /** The part that the database takes from the lease when the row of the request is written. */
  #fromLease: number;

  /** @param onFreed called when money became available to other requests. */
  constructor(account: BudgetAccount, nanodollars: number, admittedAt: number, onFreed: () => void) {
    this.#account = account;
    this.nanodollars = nanodollars;
    this.admittedAt = admittedAt;
    this.#fromLease = nanodollars;
    this.#onFreed = onFreed;
    for (const allowance of account.hard) allowance.hold(nanodollars);
  }

  get reservedIn(): string {
    return this.#account.reservedIn;
  }

  end(costNanodollars: number | undefined): void {
    if (costNanodollars === undefined) return;
    // Soft budgets see the cost at once, and not only when their rows are read again.
    for (const allowance of this.#account.soft) allowance.spent += costNanodollars;
    this.#fromLease = Math.min(costNanodollars, this.nanodollars);
    this.#release(this.nanodollars - this.#fromLease);
  }

  commit(): void {
    for (const allowance of this.#account.hard) allowance.commit(this.#fromLease);
  }

  cancel(): void {
    this.#release(this.nanodollars);
  }

  #release(nanodollars: number): void {
    for (const allowance of this.#account.hard) allowance.release(nanodollars);
    this.#onFreed();
  }
}
