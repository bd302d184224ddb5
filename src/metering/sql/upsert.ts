import type { Transaction } from "kysely";
import { createBulkInsert, createRowInsert } from "../../store/bulk-insert.ts";
import type { Database, Tables } from "../../store/database.ts";
import { INTERRUPTED, isFinal, REQUEST_COLUMNS, type RequestRow, STATE, type State } from "../record.ts";
import { changeBudgets } from "./budget-changes.ts";
import { addToRollups } from "./rollups.ts";
import { alertCosts } from "./cost-alerts.ts";

/**
 * The condition under which a write replaces a stored row; see `TRANSITIONS`. Writes are idempotent: every process may write
 * its version of a row repeatedly, and each request is still counted only once.
 *
 * - Any row replaces an open row, with one exception. If the open row has a generation id, a replayed row without one does not
 *   replace it, because the journal has lost the line with the id. `adoptOrphans` makes such an open row pending.
 * - A settled row replaces a pending row. If another process adopted the row by mistake, the pending row that its own process
 *   writes replaces it too.
 * - No row replaces a final row here; `correctUnknown` makes the corrections.
 */
const REPLACES_STORED_ROW = `
  (requests.state = '${STATE.open}' and (requests.generation_id is null or excluded.generation_id is not null
    or coalesce(excluded.outcome, '') <> '${INTERRUPTED}'))
  or (requests.state = '${STATE.pending}' and (excluded.state = '${STATE.settled}'
    or (requests.outcome = '${INTERRUPTED}' and excluded.state = '${STATE.pending}'
      and excluded.outcome <> '${INTERRUPTED}')))`;

const ON_CONFLICT = `on conflict (id) do update set ${Object.keys(REQUEST_COLUMNS)
  .filter((name) => name !== "id")
  .map((name) => `${name} = excluded.${name}`)
  .join(", ")} where ${REPLACES_STORED_ROW}`;

const prepareUpsert = createRowInsert("requests", REQUEST_COLUMNS, ON_CONFLICT);
const buildUpsert = createBulkInsert("requests", REQUEST_COLUMNS, `${ON_CONFLICT} returning id`);

/**
 * Writes ledger rows, and adds those that have become final to the rollups, in one transaction.
 * @param rows rows with distinct ids. @returns the rows that were inserted or that replaced a stored row.
 */
export async function writeRequests(
  database: Database,
  rows: readonly RequestRow[],
): Promise<readonly RequestRow[]> {
  if (rows.length === 0) return [];
  return database.kysely.transaction().execute(async (transaction) => {
    const states = await readStates(database, transaction, rows);
    const written = database.sqlite
      ? rows.filter(prepareUpsert(database.sqlite))
      : await upsertIntoPostgres(transaction, rows);
    const { corrected, before } = await correctUnknown(database, transaction, subtract(rows, written));
    const changed = [...written, ...corrected];
    await addToRollups(database, transaction, changed.filter(isFinal), before);
    await changeBudgets(
      database,
      transaction,
      changed.map((row) => ({ row, before: states.get(row.id), isOwnWrite: true })),
    );
    await alertCosts(database, transaction, changed);
    return changed;
  });
}

/**
 * Reads the stored states of rows with reservations. The state says whether the reservation is in the lease of a process or in
 * the presumed amount of a budget.
 */
async function readStates(
  { sqlite }: Database,
  transaction: Transaction<Tables>,
  rows: readonly RequestRow[],
): Promise<ReadonlyMap<string, State>> {
  const ids = rows.filter(({ reserved_in }) => reserved_in !== null).map(({ id }) => id);
  if (ids.length === 0) return new Map();
  const query = transaction
    .selectFrom("requests")
    .select(["id", "state"])
    .where("id", "in", ids)
    .orderBy("id");
  const stored = await (sqlite ? query : query.forUpdate()).execute();
  return new Map(stored.map(({ id, state }) => [id, state]));
}

/** Returns the rows that are not in `written`. */
function subtract(rows: readonly RequestRow[], written: readonly RequestRow[]): readonly RequestRow[] {
  if (rows.length === written.length) return [];
  const left = new Set(rows);
  for (const row of written) left.delete(row);
  return [...left];
}

/** Corrected rows, which were given up as unknown before, with their previous versions. */
interface Corrections {
  readonly corrected: readonly RequestRow[];
  readonly before: readonly RequestRow[];
}

/**
 * Corrects rows that were given up as unknown. A row with a cost replaces such a row. A pending row with a generation id
 * replaces it if the stored row has no generation id, because the cost can now be looked up.
 * @param rows rows that did not replace the stored rows.
 */
async function correctUnknown(
  { sqlite }: Database,
  transaction: Transaction<Tables>,
  rows: readonly RequestRow[],
): Promise<Corrections> {
  const candidates = new Map(
    rows
      .filter(
        ({ state, generation_id }) =>
          state === STATE.settled || (state === STATE.pending && generation_id !== null),
      )
      .map((row) => [row.id, row]),
  );
  if (candidates.size === 0) return { corrected: [], before: [] };
  const query = transaction
    .selectFrom("requests")
    .selectAll()
    .where("id", "in", [...candidates.keys()])
    .where("state", "=", STATE.unknown)
    .orderBy("id");
  const unknown = await (sqlite ? query : query.forUpdate()).execute();
  const before = unknown.filter(
    ({ id, generation_id }) => candidates.get(id)?.state === STATE.settled || generation_id === null,
  );
  const corrected = before.flatMap(({ id }) => candidates.get(id) ?? []);
  for (const row of corrected)
    await transaction.updateTable("requests").set(row).where("id", "=", row.id).execute();
  return { corrected, before };
}

async function upsertIntoPostgres(
  transaction: Transaction<Tables>,
  rows: readonly RequestRow[],
): Promise<RequestRow[]> {
  const written = await buildUpsert(rows).execute(transaction);
  const ids = new Set((written.rows as { id: string }[]).map(({ id }) => id));
  return rows.filter(({ id }) => ids.has(id));
}
