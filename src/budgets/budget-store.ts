import type { BudgetId } from "./budget-id.ts";

// The database of budgets, as the admission of requests needs it. All amounts are in nanodollars.

/** A budget as the settings define it. */
export interface StoredBudget {
  readonly id: BudgetId;
  readonly limit: number;
  /** Time of the last change of the settings, in ms since 1970. */
  readonly changedAt: number;
}

/** A request for money of one budget. */
export interface Draw extends StoredBudget {
  /** With less than this, the draw fails. */
  readonly least: number;
  readonly wanted: number;
}

/** The amounts that all processes have spent of a budget. */
export interface Spending {
  readonly spent: number;
  readonly presumed: number;
}

/** A budget after a draw. */
export interface DrawnBudget extends Spending {
  /** Added to the lease of this process. */
  readonly granted: number;
}

/** An amount of a budget. */
export interface BudgetAmount {
  readonly id: BudgetId;
  readonly nanodollars: number;
}

/** An amount of a lease to give back. */
export interface ReturnedAmount extends BudgetAmount {
  /**
   * Whether no request of this process holds money of the budget, so that the lease is deleted if nothing is left. While a
   * request holds money, the lease must exist, because another process may return the rest of a reservation to it.
   */
  readonly isUnused: boolean;
}

/** The money of budgets in the database, which all replicas share. A method rejects if the database fails. */
export interface BudgetStore {
  /**
   * Adds money to the leases of this process: of every budget in the list, or of none if one has too little.
   * @returns a result for each draw.
   */
  draw(draws: readonly Draw[]): Promise<readonly DrawnBudget[]>;
  /** Gives money of leases of this process back. */
  giveBack(amounts: readonly ReturnedAmount[]): Promise<void>;
  /** Reads the leases of this process. */
  readLeases(): Promise<readonly BudgetAmount[]>;
  /** Reads what was spent. @returns a result for each budget. */
  readSpending(budgets: readonly StoredBudget[]): Promise<readonly Spending[]>;
  /** Asks the other replicas to give the idle money of a budget back. */
  requestReturn(id: BudgetId): void;
  /** Tells the other replicas that money of a budget was given back at their request. */
  announceReturn(id: BudgetId): void;
  /** Calls the listener for requests and announcements of other replicas, until `close`. */
  listen(listener: ReturnListener): void;
  close(): void;
}

/** Receives the messages of other replicas about a budget. @param text the text of the budget's id. */
export interface ReturnListener {
  onReturnRequested(text: string): void;
  onReturned(text: string): void;
}
