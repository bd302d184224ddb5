import { findPeriod } from "../../src/budgets/periods.ts";
import { STATE } from "../../src/metering/record.ts";
import type { Database } from "../../src/store/database.ts";
import type { Bills } from "./bills.ts";
import type { Clients, ClientOutcome } from "./clients.ts";
import type { Faults } from "./faults.ts";

/** `BUDGET_WAIT_MS`, and the time for everything else that a gateway does. */
const WAIT_MAX_MS = 2_000 + 1_000;
/** Refusals of requests that have too little money. */
const BUDGET_CODES: ReadonlySet<string> = new Set(["budget_exceeded", "budget_reserved"]);

/** Compares the ledger with the simulator's bills. @returns descriptions of all differences. */
export async function compareLedger({ kysely }: Database, bills: Bills): Promise<string[]> {
  const rows = await kysely.selectFrom("requests").selectAll().execute();
  const differences: string[] = [];
  const bySession = new Map(rows.map((row) => [row.session, row]));
  if (bySession.size !== rows.length) differences.push("two rows have the same session");
  for (const id of bills.arrived) {
    const row = bySession.get(id);
    const billed = bills.findBilled(id) ?? 0;
    if (!row) differences.push(`${id}: upstream received it, but it has no row`);
    else if (row.state !== STATE.settled) differences.push(`${id}: its row is ${row.state}`);
    else if (row.cost_nanodollars !== billed)
      differences.push(`${id}: the row has cost ${row.cost_nanodollars}, upstream billed ${billed}`);
    else if (row.reserved_nanodollars !== null && billed > row.reserved_nanodollars)
      differences.push(`${id}: upstream billed ${billed}, above the reserved ${row.reserved_nanodollars}`);
  }
  return differences;
}

/** Returns the highest amount that was reserved for a request of some keys, in nanodollars. */
export async function findHighestReservation(
  { kysely }: Database,
  keyIds: readonly string[],
): Promise<number> {
  const { highest } = await kysely
    .selectFrom("requests")
    .select((eb) => eb.fn.max("reserved_nanodollars").as("highest"))
    .where("key_id", "in", keyIds)
    .executeTakeFirstOrThrow();
  return highest ?? 0;
}

/** Compares the budgets with the bills: nothing may be presumed or leased. @returns descriptions of all differences. */
export async function compareBudgets({ kysely }: Database, bills: Bills): Promise<string[]> {
  const rows = await kysely.selectFrom("budget_periods").selectAll().execute();
  const differences: string[] = [];
  const byBudget = new Map(rows.map((row) => [`${row.scope} ${row.period} ${row.starts_at}`, row]));
  for (const { scope, billed } of bills.scopes.values())
    for (const period of Object.keys(scope.limits) as "day"[]) {
      const row = byBudget.get(`${scope.id} ${period} ${findPeriod(period, Date.now()).startsAt}`);
      const found = row && [row.spent_nanodollars, row.presumed_nanodollars, row.leased_nanodollars];
      if (String(found ?? [0, 0, 0]) !== String([billed, 0, 0]))
        differences.push(
          `${scope.label} ${period}: spent, presumed, leased are ${String(found)}; billed ${billed}`,
        );
    }
  const leases = await kysely
    .selectFrom("budget_leases")
    .selectAll()
    .where("amount_nanodollars", "!=", 0)
    .execute();
  for (const lease of leases)
    differences.push(
      `a lease of ${lease.instance} in ${lease.scope} still has ${lease.amount_nanodollars} after the end`,
    );
  return differences;
}

/** How long requests waited, in ms, and how many were refused for each reason. */
export interface Waits {
  readonly admitted: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly admittedMs: Quantiles;
  readonly refusedMs: Quantiles;
  /** Requests during an outage, whose wait is not judged. */
  readonly duringOutages: number;
  readonly violations: readonly string[];
}

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Measures the time from sending to the refusal or to the arrival at the simulator. */
export function measureWaits(clients: Clients, bills: Bills, faults: Faults): Waits {
  const refused: Record<string, number> = {};
  const violations: string[] = [];
  const times: { readonly admitted: number[]; readonly refused: number[] } = { admitted: [], refused: [] };
  let duringOutages = 0;
  let admitted = 0;
  for (const outcome of clients.outcomes) {
    const { request, sentAt, headAt, replica } = outcome;
    const arrivedAt = bills.findArrival(request.id);
    if (arrivedAt === undefined && outcome.status === 0) continue;
    const waitMs = (arrivedAt ?? headAt) - sentAt;
    const isOutage = faults.overlaps(replica, sentAt, sentAt + waitMs);
    if (arrivedAt === undefined) {
      const reason = `${outcome.status} ${outcome.code}`;
      refused[reason] = (refused[reason] ?? 0) + 1;
      const mistake = findMistake(outcome, isOutage);
      if (mistake !== undefined) violations.push(mistake);
    } else admitted++;
    if (isOutage) {
      duringOutages++;
      continue;
    }
    times[arrivedAt === undefined ? "refused" : "admitted"].push(waitMs);
    if (waitMs > WAIT_MAX_MS) violations.push(`${request.id} waited ${waitMs} ms`);
  }
  const { admitted: admittedTimes, refused: refusedTimes } = times;
  return {
    admitted,
    refused,
    admittedMs: toQuantiles(admittedTimes),
    refusedMs: toQuantiles(refusedTimes),
    duringOutages,
    violations,
  };
}

/** Returns what is wrong with a refusal; undefined if it is right. */
function findMistake(outcome: ClientOutcome, isOutage: boolean): string | undefined {
  const { request, status, code = "", retryAfterS } = outcome;
  const name = `${request.id} (${request.key.plan.name}, ${request.endpoint}): ${status} ${code}`;
  if (code === "store_unavailable" && !isOutage) return `${name} without an outage`;
  if (code === "store_unavailable" || code === "budget_reserved")
    return retryAfterS === undefined ? `${name} without retry-after` : undefined;
  if (code === "budget_exceeded" && request.key.plan.name === "rich") return `${name} far from the limit`;
  return BUDGET_CODES.has(code) ? undefined : name;
}

function toQuantiles(times: readonly number[]): Quantiles {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
