/** The store that made a decision: the Redis of all replicas, or the memory of this process. */
export type LimitStore = "redis" | "memory";

/** Numbers of decisions since the start of the process. */
export interface DecisionCounts {
  admitted: number;
  refused: number;
}

/** Counts the decisions of rate limits, by the store that made them. */
export class LimitDecisions {
  readonly counts: Readonly<Record<LimitStore, DecisionCounts>> = {
    redis: { admitted: 0, refused: 0 },
    memory: { admitted: 0, refused: 0 },
  };

  /** Counts one decision. */
  add(store: LimitStore, isAdmitted: boolean): void {
    if (isAdmitted) this.counts[store].admitted++;
    else this.counts[store].refused++;
  }
}
