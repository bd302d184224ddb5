/**
 * The money that hard budgets hold for one request: its worst-case cost, in each budget that the request must fit in. It is
 * held from the admission of the request until the database has a row with the final cost, or with the amount as presumed.
 */
export interface Reservation {
  /** Worst-case cost of the request. */
  readonly nanodollars: number;
  /**
   * The hard budgets with the reservation, such as `key:day,group:month`, as stored in the record of the request; empty if the
   * request has only soft budgets.
   */
  readonly reservedIn: string;
  /** The time of the admission, in ms since 1970. The request belongs to the periods that contain it. */
  readonly admittedAt: number;
  /**
   * Called when the request has ended. Money above its cost becomes available to other requests.
   * @param costNanodollars undefined if the cost is not known yet.
   */
  end(costNanodollars: number | undefined): void;
  /** Called when the row of the ended request is in the database. */
  commit(): void;
  /** Called instead of `end` and `commit` if the request was not started. Nothing was spent. */
  cancel(): void;
}
