import type { Transaction } from "kysely";
import { createBulkInsert, createRowInsert } from "../../store/bulk-insert.ts";
import type { Database, Tables } from "../../store/database.ts";
import { INTERRUPTED, isFinal, REQUEST_COLUMNS, type RequestRow, STATE } from "../record.ts";
import { addToRollups } from "./rollups.ts";

/**
 * Which rows a write replaces; see `TRANSITIONS`. An open row is replaced by any; a pending row by a settled one, or, if
 * another process took its process for dead, by the row of its own process; a final row by none, except for a correction
 * (see `correctUnknown`). So every process may write what it knows, any number of times, and each request is counted once. A
 * journal that has lost the line with the generation id does not end an open row that has it: `adoptOrphans` makes that row
 * pending.
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
 * Writes rows of the ledger and adds to the rollups those that have become final, in one transaction.
 * @param rows no two of the same id. @returns those that were new, or newer than what was there.
 */
export async function writeRequests(
  database: Database,
  rows: readonly RequestRow[],
): Promise<readonly RequestRow[]> {
  if (rows.length === 0) return [];
  return database.kysely.transaction().execute(async (transaction) => {
    const written = database.sqlite
      ? rows.filter(prepareUpsert(database.sqlite))
      : await upsertIntoPostgres(transaction, rows);
    const { corrected, before } = await correctUnknown(database, transaction, subtract(rows, written));
    const changed = [...written, ...corrected];
    await addToRollups(database, transaction, changed.filter(isFinal), before);
    return changed;
  });
}

/** The rows that are not among `written`. */
function subtract(rows: readonly RequestRow[], written: readonly RequestRow[]): readonly RequestRow[] {
  if (rows.length === written.length) return [];
  const left = new Set(rows);
  for (const row of written) left.delete(row);
  return [...left];
}

/** Rows that were given up and are no longer, with what they were before. */
interface Corrections {
  readonly corrected: readonly RequestRow[];
  readonly before: readonly RequestRow[];
}

/**
 * Corrects rows that were given up: by a real bill that turns up later, or by a generation, whose bill can be asked for,
 * of a row that had none.
 * @param rows that the database did not take, because it has final ones.
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
