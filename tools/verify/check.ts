import type { Harness } from "./harness.ts";

/** The result of a check. */
export interface CheckOutcome {
  readonly pass: boolean;
  /** The observed behaviour of the gateway, stated whether or not the check passes. */
  readonly got: string;
}

/** One property of a faithful gateway, small enough that a fault fails this check and few others. */
export interface Check {
  /** `group/name`. It never changes, because scripts refer to it. */
  readonly id: string;
  readonly title: string;
  /** The effect of a failure on users, or another reason for the check. */
  readonly why: string;
  readonly expected: string;
  /** Deadline of the whole check; default {@link USUAL_DEADLINE_MS}. */
  readonly deadlineMs?: number;
  /** Runs the check. An exception is a failure too, and its message becomes `got`. */
  readonly run: (harness: Harness) => Promise<CheckOutcome>;
}

export const USUAL_DEADLINE_MS = 15_000;

/** The part of an id before the slash. */
export function getGroup(id: string): string {
  return id.slice(0, id.indexOf("/"));
}

export function pass(got: string): CheckOutcome {
  return { pass: true, got };
}

export function fail(got: string): CheckOutcome {
  return { pass: false, got };
}

/** Creates an outcome that passes if `isPass` is true. */
export function toOutcome(isPass: boolean, got: string): CheckOutcome {
  return { pass: isPass, got };
}
