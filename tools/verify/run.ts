import type { Simulator } from "../simulator/simulator.ts";
import { Harness, PASSING_MS } from "./harness.ts";
import type { GatewayTarget } from "./client-call.ts";
import { CHECKS } from "./catalogue.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { findMissing } from "./missing-endpoint.ts";
import { type Check, fail, getGroup, type CheckOutcome, USUAL_DEADLINE_MS } from "./check.ts";

/** The gateway to check, its upstream, and the checks to run. */
export interface RunOptions {
  /** The base URL, as for an SDK, such as `http://127.0.0.1:8080/openai/v1`. */
  readonly gateway: string;
  /** A key that the gateway accepts. */
  readonly key: string;
  /** Headers to send with every request. Their names are in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The upstream of the gateway. While the checks run, it responds to their requests only. */
  readonly simulator: Simulator;
  /** Ids of the checks to run; all if absent. */
  readonly only?: readonly string[];
  /** Groups of checks that do not apply to this gateway and are not run. */
  readonly skip?: readonly string[];
  /** Maximum duration of the run; default 300,000. Checks that have not begun by then fail. */
  readonly deadlineMs?: number;
  /** Called after each check. */
  readonly onResult?: (result: Result) => void;
}

/** The result of one check, in terms that need no knowledge of this suite. */
export interface Result extends CheckOutcome {
  readonly id: string;
  readonly group: string;
  readonly title: string;
  readonly why: string;
  readonly expected: string;
  readonly ms: number;
}

/** A group of checks whose endpoint the gateway does not have. */
export interface MissingGroup {
  readonly group: string;
  /** The gateway's response to a small request. */
  readonly got: string;
}

/** All results; the score is `passed` of `total`. */
export interface Report {
  readonly gateway: string;
  readonly passed: number;
  readonly total: number;
  readonly skipped: readonly string[];
  /** Groups of endpoints that the gateway does not have. Their checks are not run and not in `total`. */
  readonly notApplicable: readonly MissingGroup[];
  readonly ms: number;
  readonly results: readonly Result[];
}

/** A request did not reach the simulator through the gateway; the message contains the response that the client received. */
export class GatewayUnreachable extends Error {}

const RUN_DEADLINE_MS = 300_000;
/** A check is started only if at least this much time remains. */
const LEAST_MS = 100;

/**
 * Runs the checks one after another.
 * @returns all results. If the gateway hangs, each check takes until its deadline, and the run at most `deadlineMs`.
 * @throws GatewayUnreachable if a plain request does not reach the simulator.
 */
export async function runChecks(options: RunOptions): Promise<Report> {
  const { gateway, key, headers = {}, simulator, only, skip = [], deadlineMs = RUN_DEADLINE_MS } = options;
  const target: GatewayTarget = { url: gateway.replace(/\/+$/, ""), key, headers };
  const startedAtMs = performance.now();
  await checkReachable(new Harness(simulator, target), simulator);
  const chosen = CHECKS.filter(({ id }) => !skip.includes(getGroup(id)) && (only?.includes(id) ?? true));
  const startHarness = (): Harness => new Harness(simulator, target);
  const notApplicable = await findMissingGroups(chosen, startHarness);
  const isMissing = (id: string): boolean => notApplicable.some(({ group }) => group === getGroup(id));
  const results: Result[] = [];
  for (const check of chosen.filter(({ id }) => !isMissing(id))) {
    const leftMs = Math.floor(deadlineMs - (performance.now() - startedAtMs));
    const result = await runOne(check, startHarness(), leftMs);
    results.push(result);
    options.onResult?.(result);
  }
  const passed = results.filter(({ pass }) => pass).length;
  const ms = Math.round(performance.now() - startedAtMs);
  return { gateway, passed, total: results.length, skipped: skip, notApplicable, ms, results };
}

/** Finds the groups of these checks whose endpoint the gateway does not have. */
async function findMissingGroups(
  checks: readonly Check[],
  startHarness: () => Harness,
): Promise<readonly MissingGroup[]> {
  const groups = new Set(checks.map(({ id }) => getGroup(id)));
  const missing: MissingGroup[] = [];
  for (const endpoint of ENDPOINTS.filter(({ group }) => groups.has(group))) {
    const got = await findMissing(startHarness(), endpoint);
    if (got !== undefined) missing.push({ group: endpoint.group, got });
  }
  return missing;
}

async function checkReachable(harness: Harness, simulator: Simulator): Promise<void> {
  const call = harness.sendChat({ stream: false });
  try {
    await harness.waitForUpstream(call);
    await call.waitForEnd(PASSING_MS);
  } catch {
    const outcome =
      call.response.status === 0 && call.error !== undefined
        ? call.error
        : `the client got ${call.summarize()}`;
    throw new GatewayUnreachable(
      `A plain request to ${harness.target.url}/chat/completions did not reach the simulator at ${simulator.baseUrl}: ${outcome}`,
    );
  } finally {
    harness.close();
  }
}

async function runOne(check: Check, harness: Harness, leftMs: number): Promise<Result> {
  const { id, title, why, expected, deadlineMs = USUAL_DEADLINE_MS } = check;
  const startedAtMs = performance.now();
  const outcome = await runWithDeadline(check, harness, Math.min(deadlineMs, leftMs));
  harness.close();
  const ms = Math.round(performance.now() - startedAtMs);
  return { id, group: getGroup(id), title, why, expected, ...outcome, ms };
}

async function runWithDeadline(check: Check, harness: Harness, deadlineMs: number): Promise<CheckOutcome> {
  if (deadlineMs < LEAST_MS) return fail("not tried: the time for the whole run was used up");
  const { promise: late, resolve } = Promise.withResolvers<CheckOutcome>();
  const timer = setTimeout(() => resolve(fail(`no verdict within ${deadlineMs} ms`)), deadlineMs);
  const verdict = check
    .run(harness)
    .catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)));
  return Promise.race([verdict, late]).finally(() => clearTimeout(timer));
}
