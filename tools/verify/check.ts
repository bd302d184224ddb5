import type { Harness } from "./harness.ts";

/** The result of a check. */
export interface CheckOutcome {
  readonly pass: boolean;
  /** Description of the gateway's behaviour for the person who mends it, also when the check passes. */
  readonly got: string;
}

/** One property of a faithful gateway, small enough that a fault fails this check and few others. */
export interface Check {
  /** `group/name`. It never changes, because scripts refer to it. */
  readonly id: string;
  readonly title: string;
  /** The fault that users of a failing gateway see. */
  readonly why: string;
  readonly expected: string;
  /** How long it may take altogether, in ms; {@link USUAL_DEADLINE_MS} if absent. */
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

/** Passes if `isPass`; the description does not matter. */
export function toOutcome(isPass: boolean, got: string): CheckOutcome {
  return { pass: isPass, got };
}
