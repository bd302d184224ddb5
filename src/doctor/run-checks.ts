import { escapeUnprintable } from "../printable.ts";
import { describeError } from "./finding-text.ts";
import { failed, type Finding, type Result } from "./finding.ts";

/** One part of a deployment that can be checked independently of the others. */
export interface Check {
  readonly name: string;
  /** Time after which the check has failed. */
  readonly deadlineMs: number;
  /** @param signal aborted at the deadline: the check closes its connections then. */
  run(signal: AbortSignal): Result[] | Promise<Result[]>;
}

/**
 * Runs checks at the same time. A check that throws, or that exceeds its deadline, has a failed finding, and does not disturb
 * the others.
 * @returns the findings, in the order of the checks.
 */
export async function runChecks(checks: readonly Check[]): Promise<Finding[]> {
  const results = await Promise.all(checks.map(runCheck));
  return results.flat();
}

async function runCheck(check: Check): Promise<Finding[]> {
  const deadline = new AbortController();
  const { promise: late, resolve } = Promise.withResolvers<Result[]>();
  const timer = setTimeout(() => {
    resolve([createLateFinding(check)]);
    deadline.abort();
  }, check.deadlineMs);
  try {
    const run = Promise.resolve(deadline.signal).then((signal) => check.run(signal));
    return (await Promise.race([run, late])).map((result) => toFinding(check.name, result));
  } catch (error) {
    return [toFinding(check.name, createErrorFinding(error))];
  } finally {
    clearTimeout(timer);
  }
}

function createLateFinding({ deadlineMs }: Check): Result {
  return failed(
    `The check did not end within ${deadlineMs / 1_000} s.`,
    "Find out why this part does not respond: a frozen machine or disk, a firewall that drops packets, or an overloaded server.",
  );
}

function createErrorFinding(error: unknown): Result {
  return failed(
    `The check failed: ${describeError(error)}.`,
    "Mend the cause that the message names, and run doctor again.",
  );
}

/** Escapes control characters, because texts of servers and names of files reach a terminal. */
function toFinding(check: string, { status, finding, remedy }: Result): Finding {
  return {
    check,
    status,
    finding: escapeUnprintable(finding),
    ...(remedy !== undefined && { remedy: escapeUnprintable(remedy) }),
  };
}
