import { AlertDelivery } from "../alerts/alert-delivery.ts";
import { listBudgets } from "../budgets/definitions.ts";
import { findPeriod } from "../budgets/periods.ts";
import { openBudget } from "../budgets/sql/open-budgets.ts";
import { DAY_MS } from "../durations.ts";
import { newGroupSchema } from "../keys/group-input.ts";
import { keyChangesSchema, newKeySchema } from "../keys/key-input.ts";
import { KeyService } from "../keys/key-service.ts";
import { createKeySource } from "../keys/key-source.ts";
import type { ManagedKey } from "../keys/managed-key.ts";
import type { RequestRow } from "../metering/record.ts";
import { readSpent } from "../metering/sql/budget-changes.ts";
import { writeRequests } from "../metering/sql/upsert.ts";
import { formatUsd } from "../money.ts";
import { createLogger } from "../observability/logger.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { BLOCKED, CALLERS, type Caller, GROUPS, NEARLY_EXHAUSTED } from "./callers.ts";
import { generateHistory, HISTORY_DAYS, type KeyedCaller } from "./history-rows.ts";
import type { ModelFacts } from "./model-facts.ts";
import { SeededRandom } from "./seeded-random.ts";

const SEED = 20;
const BATCH_ROWS = 500;
const NANODOLLARS_PER_CENT = 10_000_000;
/** Share of the cost of a request that was reserved for it, if it cost more than was reserved. */
const RESERVED_SHARE = 0.8;
const ADMIN_NAME = "demo-admin";
/** The author of the changes of keys, as the audit shows it. */
const ACTOR = { actor: "demo", source: "demo" };

/** Secrets of the demo's keys. */
export interface DemoKeys {
  readonly adminSecret: string;
  /** The applications that send requests while the demo runs. */
  readonly callers: readonly { readonly caller: Caller; readonly secret: string }[];
}

/**
 * Creates a database with keys, groups, budgets and a week of requests, through the functions that a gateway uses. No gateway
 * may have the database open. The same time gives the same requests, except for the ids of keys.
 * @param dataDir an empty directory. @param now end of the history, in ms since 1970.
 */
export async function writeHistory(
  dataDir: string,
  models: ReadonlyMap<string, ModelFacts>,
  now: number,
): Promise<DemoKeys> {
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  try {
    await database.migrate();
    // The keys must be older than their first requests.
    const founded = new KeyService(database, () => now - (HISTORY_DAYS + 1) * DAY_MS);
    for (const group of GROUPS) await founded.groups.create(newGroupSchema.parse(group), ACTOR);
    const admin = await founded.create(newKeySchema.parse({ name: ADMIN_NAME, role: "admin" }), ACTOR);
    const secrets = new Map<string, string>();
    const callers: KeyedCaller[] = [];
    for (const caller of CALLERS) {
      const { key, secret } = await founded.create(newKeySchema.parse(caller.key), ACTOR);
      callers.push({ caller, key });
      secrets.set(key.name, secret);
    }
    const rows = generateHistory({ callers, models, random: new SeededRandom(SEED), now });
    const overrun = markOverrun(rows);
    await exhaustBudget(database, rows, now);
    await openCurrentBudgets(database, now);
    for (let at = 0; at < rows.length; at += BATCH_ROWS)
      await writeRequests(database, rows.slice(at, at + BATCH_ROWS));
    await refuseKeys(database, overrun, now);
    const usedAt = new Map(rows.map(({ key_id, started_at }) => [key_id, started_at]));
    await createKeySource(database, undefined).saveLastUsed(usedAt);
    // Ends the delivery of the alerts that the history caused, so that they are not logged while the demo runs.
    await new AlertDelivery({
      database,
      webhook: undefined,
      logger: createLogger("silent", { write: () => {} }),
    }).deliverDue();
    return {
      adminSecret: admin.secret,
      callers: callers
        .filter(({ key: { name }, caller }) => name !== BLOCKED && !caller.isDisabled)
        .map(({ caller, key }) => ({ caller, secret: secrets.get(key.name) ?? "" })),
    };
  } finally {
    await database.close();
  }
}

/** Gives one key a total budget of which the history will have used nearly all. */
async function exhaustBudget(database: Database, rows: readonly RequestRow[], now: number): Promise<void> {
  const { name, share } = NEARLY_EXHAUSTED;
  const spent = rows
    .filter(({ key_name }) => key_name === name)
    .reduce((sum, { cost_nanodollars }) => sum + (cost_nanodollars ?? 0), 0);
  const limit = Math.ceil(spent / share / NANODOLLARS_PER_CENT) * NANODOLLARS_PER_CENT;
  const limits = { budgets: { total: { limit_usd: formatUsd(limit) } } };
  await new KeyService(database, () => now - DAY_MS).update(name, keyChangesSchema.parse({ limits }), ACTOR);
}

/**
 * Opens the current periods of all budgets while the ledger is empty, as the first requests of the periods would have done.
 * The requests of the history are then counted in them when their rows are written.
 */
async function openCurrentBudgets(database: Database, now: number): Promise<void> {
  const keys: readonly ManagedKey[] = await new KeyService(database).list({ limit: CALLERS.length + 1 });
  for (const key of keys)
    for (const { id, limit, changedAt } of listBudgets(key, undefined, now))
      await openBudget(database, { id, limit, changedAt }, readSpent);
}

/**
 * Makes the last request of one key cost more than was reserved for it.
 * @param rows sorted by time; the row is changed in place.
 */
function markOverrun(rows: readonly RequestRow[]): RequestRow | undefined {
  const row = rows.findLast((one) => one.key_name === BLOCKED && one.outcome === "complete");
  if (!row) return undefined;
  row.reserved_in = "key:week";
  row.reserved_nanodollars = Math.floor((row.cost_nanodollars ?? 0) * RESERVED_SHARE);
  return row;
}

/** Disables keys, and blocks the key of the request that cost more than was reserved for it. */
async function refuseKeys(database: Database, overrun: RequestRow | undefined, now: number): Promise<void> {
  const keys = new KeyService(database, () => now - DAY_MS);
  for (const { key, isDisabled } of CALLERS)
    if (isDisabled) await keys.update(key.name, keyChangesSchema.parse({ disabled: true }), ACTOR);
  if (!overrun) return;
  const endedAt = overrun.ended_at ?? now;
  await new KeyService(database, () => endedAt).block(overrun.key_id, findPeriod("week", now).endsAt, {
    actor: "budget",
    source: "gateway",
  });
}
