import type { Harness } from "./harness.ts";

/** What a check found. */
export interface CheckOutcome {
  readonly pass: boolean;
  /** What the gateway did, for a person who has to mend it; also said of what passes. */
  readonly got: string;
}

/** One property of a faithful gateway, small enough that a fault fails this check and few others. */
export interface Check {
  /** `group/name`, the same for ever: scripts refer to it. */
  readonly id: string;
  readonly title: string;
  /** What goes wrong for users of a gateway that fails. */
  readonly why: string;
  readonly expected: string;
  /** How long it may take altogether, in ms; {@link USUAL_DEADLINE_MS} if absent. */
  readonly deadlineMs?: number;
  /** Tries the gateway. What it throws is a failure too, with the message as what was got. */
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

/** Passes if `isPass`, whatever is said. */
export function toOutcome(isPass: boolean, got: string): CheckOutcome {
  return { pass: isPass, got };
}
