/** `skipped`: the check does not apply to this deployment, or it needs something that is missing. */
export type Status = "ok" | "warning" | "failed" | "skipped";

/** One result of a check. */
export interface Finding {
  /** The name of the check. */
  readonly check: string;
  readonly status: Status;
  /** One or two sentences with the measured values. They never contain a secret. */
  readonly finding: string;
  /** How to mend a `warning` or `failed`. */
  readonly remedy?: string;
}

/** A finding of a check that knows its name. */
export type Result = Omit<Finding, "check">;

export function ok(finding: string): Result {
  return { status: "ok", finding };
}

export function skipped(finding: string): Result {
  return { status: "skipped", finding };
}

export function warning(finding: string, remedy: string): Result {
  return { status: "warning", finding, remedy };
}

export function failed(finding: string, remedy: string): Result {
  return { status: "failed", finding, remedy };
}
