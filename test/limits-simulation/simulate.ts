import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KeyService } from "../../src/keys/key-service.ts";
import { STATE } from "../../src/metering/record.ts";
import { type Database, openDatabase } from "../../src/store/database.ts";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { findFreePort } from "../support/ports.ts";
import type { Postgres } from "../support/postgres.ts";
import { Replica } from "../support/replica.ts";
import { waitUntil } from "../support/wait.ts";
import { Bills, findLimit, type ScopeBill } from "./bills.ts";
import { Clients } from "./clients.ts";
import { countLeaseChanges, type LeaseChanges, readLeaseChanges } from "./draws.ts";
import { Faults } from "./faults.ts";
import { createKeys, type SimulatedKey } from "./keys.ts";
import type { PlanOptions } from "./plan.ts";
import { correctUnknown, exhaust } from "./usable.ts";
import { compareBudgets, compareLedger, findHighestReservation, measureWaits, type Waits } from "./verify.ts";

/** Generation records appear this late, so that the first look-ups find none. */
const RECORD_AFTER_MS = 700;
const SETTLE_AFTER_MS = 200;
const SETTLED_DEADLINE_MS = 120_000;
/** The part of a budget that must be usable if a request costs at most 2 % of it. */
const USABLE_PART = 0.98;
/** $0.45 in nanodollars. */
const KEY_LIMIT = 450_000_000;
const DAY_MS = 86_400_000;
/** No run starts this shortly before midnight (UTC), when budgets renew. */
const BEFORE_MIDNIGHT_MS = 300_000;

export interface LimitsSimulation {
  readonly clients: number;
  /** Requests of each client. */
  readonly requestsEach: number;
  readonly plan: PlanOptions;
  /** For several gateways; undefined: one gateway with SQLite. */
  readonly postgres: Postgres | undefined;
  readonly gateways: number;
  /** Called with each line that a gateway logs. */
  readonly onLine?: (line: string) => void;
}

/** The results of a simulation. Money is in nanodollars. */
export interface LimitsVerdict {
  /** Descriptions of everything that must not happen. */
  readonly violations: readonly string[];
  readonly scopes: readonly ScopeBill[];
  readonly waits: Waits;
  /** Number of times at which bills were compared with limits. */
  readonly samples: number;
  readonly kills: number;
  /** Rows whose costs were unknown until they were corrected. */
  readonly corrected: number;
  /** The highest reservation of keys with small requests, as a part of $0.45. */
  readonly reservedPart: number;
  /** The lowest part of a budget that could be used, before and after the correction. */
  readonly usedPart: { readonly before: number; readonly after: number };
  /** Of the key that is far from its limit. */
  readonly rich: LeaseChanges & { readonly admitted: number };
}

/** Sends requests through gateways until budgets are used up, with faults, and compares the limits with the simulator's bills. */
export async function simulateLimits(options: LimitsSimulation): Promise<LimitsVerdict> {
  const toMidnightMs = DAY_MS - (Date.now() % DAY_MS);
  if (toMidnightMs < BEFORE_MIDNIGHT_MS) await sleep(toMidnightMs + 1_000);
  const directory = mkdtempSync(join(tmpdir(), "sluice-limits-"));
  const bills = new Bills();
  const simulator = await startSimulator({
    generationDelayMs: RECORD_AFTER_MS,
    keepSeen: 0,
    observer: bills,
    chooseBehaviour: bills.arrive,
  });
  const databaseUrl = await options.postgres?.createDatabase();
  const dataDirs = Array.from({ length: options.gateways }, (_, index) => join(directory, String(index)));
  const database = openDatabase({ dataDir: dataDirs[0] ?? "", databaseUrl }, () => {});
  const replicas: Replica[] = [];
  try {
    await database.migrate();
    await countLeaseChanges(database);
    const keys = await createKeys(new KeyService(database));
    for (const [index, dataDir] of dataDirs.entries())
      replicas.push(
        new Replica(await findFreePort(), buildEnvironment(simulator.baseUrl, dataDir, databaseUrl), {
          nodeArgs: index === SKEWED_GATEWAY ? SKEWED_CLOCK : [],
          onLine: options.onLine ?? (() => {}),
        }),
      );
    await Promise.all(replicas.map((replica) => replica.start()));
    return await run(options, { database, bills, keys, replicas });
  } finally {
    bills.close();
    await database.close();
    await Promise.all(replicas.map((replica) => replica.kill()));
    await simulator.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Setup {
  readonly database: Database;
  readonly bills: Bills;
  readonly keys: readonly SimulatedKey[];
  readonly replicas: readonly Replica[];
}

async function run(options: LimitsSimulation, setup: Setup): Promise<LimitsVerdict> {
  const { database, bills, keys, replicas } = setup;
  const clients = new Clients({ keys, replicas, bills, plan: options.plan }, options.clients);
  const faults = new Faults(replicas, options.clients * options.requestsEach, options.postgres);
  await clients.warmUp();
  await clients.run(options.clients, options.requestsEach, faults.onRequest);
  await faults.wait();
  await waitUntil(() => areAllFinal(database), "every row to be final", SETTLED_DEADLINE_MS);
  const before = await useUp(clients, setup);
  const corrected = await correctUnknown(database, bills);
  const after = await useUp(clients, setup);
  await waitUntil(() => areAllFinal(database), "every row to be final", SETTLED_DEADLINE_MS);
  clients.close();
  const codes = await Promise.all(replicas.map((replica) => replica.stop()));
  const waits = measureWaits(clients, bills, faults);
  const rich = keys.find(({ plan }) => plan.name === "rich") as SimulatedKey;
  const small = keys.filter(({ plan }) => plan.size === "small").map(({ id }) => id);
  const reservedPart = (await findHighestReservation(database, small)) / KEY_LIMIT;
  const violations = [
    ...bills.violations,
    ...waits.violations,
    ...before.violations,
    ...after.violations,
    ...after.unused,
    ...(await compareLedger(database, bills)),
    ...(await compareBudgets(database, bills)),
    ...(reservedPart > 1 - USABLE_PART ? [`a small request reserved ${reservedPart} of $0.45`] : []),
    ...codes.filter((code) => code !== 0).map((code) => `a gateway exited with ${code}`),
  ];
  return {
    violations,
    scopes: [...bills.scopes.values()],
    waits,
    samples: bills.samples,
    kills: faults.kills,
    corrected,
    reservedPart,
    usedPart: { before: before.usedPart, after: after.usedPart },
    rich: {
      ...(await readLeaseChanges(database, `key:${rich.id}`)),
      admitted: clients.outcomes.filter(
        ({ request }) => request.key === rich && bills.findArrival(request.id) !== undefined,
      ).length,
    },
  };
}

interface UsedUp {
  /** The lowest billed part of a budget. */
  readonly usedPart: number;
  readonly unused: readonly string[];
  readonly violations: readonly string[];
}

/** Uses up the budgets of keys with small requests. */
async function useUp(clients: Clients, { bills, keys }: Setup): Promise<UsedUp> {
  const small = keys.filter(
    ({ plan }) => plan.size === "small" && plan.name !== "rich" && !plan.endUserBudgets,
  );
  const own = small.filter(({ plan }) => plan.group === undefined);
  const team = small.filter(({ plan }) => plan.group !== undefined);
  const results = await Promise.all(own.map((key) => exhaust(clients, key)));
  for (const key of team) results.push(await exhaust(clients, key));
  const scopes = [...own, ...team.slice(0, 1)].map((key) => key.findScopes(undefined).at(-1));
  const parts = scopes.flatMap((scope) =>
    scope ? [{ scope, part: bills.find(scope).billed / findLimit(scope) }] : [],
  );
  return {
    usedPart: Math.min(...parts.map(({ part }) => part)),
    unused: parts
      .filter(({ part }) => part < USABLE_PART)
      .map(({ scope, part }) => `${scope.label}: only ${(100 * part).toFixed(2)} % of the budget is usable`),
    violations: results.flat(),
  };
}

async function areAllFinal({ kysely }: Database): Promise<boolean> {
  const unfinished = kysely
    .selectFrom("requests")
    .select("id")
    .where("state", "in", [STATE.open, STATE.pending]);
  return (await unfinished.limit(1).execute()).length === 0;
}

/** The gateway whose clock is ahead. With SQLite, there is only the first one. */
const SKEWED_GATEWAY = 1;
const SKEWED_CLOCK = ["--import", "./test/limits-simulation/skewed-clock.ts"];

function buildEnvironment(
  baseUrl: string,
  dataDir: string,
  databaseUrl: string | undefined,
): Record<string, string> {
  return {
    OPENROUTER_API_KEY: "sk-or-simulation-account-0123456789",
    OPENROUTER_BASE_URL: baseUrl,
    SETTLE_AFTER_MS: String(SETTLE_AFTER_MS),
    DRAIN_MS: "0",
    DATA_DIR: dataDir,
    ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
  };
}
