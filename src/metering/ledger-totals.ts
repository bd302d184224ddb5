/** Events of the ledger since the start of the process. Each has a line in the log, and means that money was miscounted or lost. */
export interface LedgerTotals {
  /** Requests whose cost was given up as unknown. */
  unknownCosts: number;
  /** Requests that cost more than was reserved for them. */
  overruns: number;
  /** Rows that the database rejected. */
  quarantinedRows: number;
}

/** The part of the ledger that is not in the database yet. */
export interface LedgerQueue {
  /** Rows of ended requests, in memory or in the journal, that wait to be written to the database. */
  readonly rows: number;
  readonly journalBytes: number;
  readonly journalMaxBytes: number;
}
