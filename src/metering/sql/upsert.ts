import type { StatementSync } from "node:sqlite";
import type { Transaction } from "kysely";
import { createBulkInsert, createRowInsert } from "../../store/bulk-insert.ts";
import type { Database } from "../../store/database.ts";
import { isFinal, REQUEST_COLUMNS, type RequestRow } from "../record.ts";
import { addToRollups } from "./rollups.ts";
import type { Tables } from "../../store/tables.ts";

/**
 * Which rows a write replaces. An open row is replaced by any; a pending row by a settled one, or, if another process took
 * its process for dead, by the row of its own process; a final row by none, except for a correction (see `correctUnknown`).
 * So every process may write what it knows, any number of times, and each request is counted once. A journal that has lost
 * the line with the generation id does not end an open row that has it: `adoptOrphans` makes that row pending.
 */
const MAY_BECOME = `
  (requests.state = 'open' and (requests.generation_id is null or excluded.generation_id is not null
    or coalesce(excluded.outcome, '') <> 'interrupted'))
  or (requests.state = 'pending' and (excluded.state = 'settled'
    or (requests.outcome = 'interrupted' and excluded.state = 'pending' and excluded.outcome <> 'interrupted')))`;

const ON_CONFLICT = `on conflict (id) do update set ${REQUEST_COLUMNS.slice(1)
  .map(([name]) => `${name} = excluded.${name}`)
  .join(", ")} where ${MAY_BECOME}`;

const intoSqlite = createRowInsert("requests", REQUEST_COLUMNS, ON_CONFLICT);
const intoPostgres = createBulkInsert("requests", REQUEST_COLUMNS, `${ON_CONFLICT} returning id`);

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
      ? upsertIntoSqlite(intoSqlite(database.sqlite), rows)
      : await upsertIntoPostgres(transaction, rows);
    const { corrected, before } = await correctUnknown(database, transaction, without(rows, written));
    const news = [...written, ...corrected];
    await addToRollups(database, transaction, news.filter(isFinal), before);
    return news;
  });
}

function without(rows: readonly RequestRow[], some: readonly RequestRow[]): readonly RequestRow[] {
  if (rows.length === some.length) return [];
  const left = new Set(rows);
  for (const row of some) left.delete(row);
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
  const better = new Map(
    rows
      .filter(
        ({ state, generation_id }) => state === "settled" || (state === "pending" && generation_id !== null),
      )
      .map((row) => [row.id, row]),
  );
  if (better.size === 0) return { corrected: [], before: [] };
  const query = transaction
    .selectFrom("requests")
    .selectAll()
    .where("id", "in", [...better.keys()])
    .where("state", "=", "unknown")
    .orderBy("id");
  const given = await (sqlite ? query : query.forUpdate()).execute();
  const before = given.filter(
    ({ id, generation_id }) => better.get(id)?.state === "settled" || generation_id === null,
  );
  const corrected = before.flatMap(({ id }) => better.get(id) ?? []);
  for (const row of corrected)
    await transaction.updateTable("requests").set(row).where("id", "=", row.id).execute();
  return { corrected, before };
}

/** Column by column: going through the list of them would cost half as much again. */
function upsertIntoSqlite(statement: StatementSync, rows: readonly RequestRow[]): RequestRow[] {
  return rows.filter(
    (row) =>
      statement.run(
        row.id,
        row.request_id,
        row.generation_id,
        row.instance,
        row.key_id,
        row.key_name,
        row.requested_model,
        row.forwarded_model,
        row.response_model,
        row.provider,
        row.stream,
        row.status,
        row.outcome,
        row.state,
        row.prompt_tokens,
        row.completion_tokens,
        row.cached_tokens,
        row.cache_write_tokens,
        row.reasoning_tokens,
        row.cost_nanodollars,
        row.cost_source,
        row.is_byok,
        row.upstream_inference_nanodollars,
        row.first_byte_ms,
        row.total_ms,
        row.bytes_in,
        row.bytes_out,
        row.started_at,
        row.ended_at,
        row.settle_attempts,
        row.settle_at,
      ).changes === 1,
  );
}

async function upsertIntoPostgres(
  transaction: Transaction<Tables>,
  rows: readonly RequestRow[],
): Promise<RequestRow[]> {
  const written = await intoPostgres(rows).execute(transaction);
  const ids = new Set((written.rows as { id: string }[]).map(({ id }) => id));
  return rows.filter(({ id }) => ids.has(id));
}
