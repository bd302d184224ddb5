import type { StatementSync } from "node:sqlite";
import type { Transaction } from "kysely";
import { insertAll, insertOne } from "./bulk.ts";
import type { Database } from "./database.ts";
import { isFinal, REQUEST_COLUMNS, type RequestRow } from "./request-row.ts";
import { addToRollups } from "./rollups.ts";
import type { Tables } from "./tables.ts";

/**
 * What a row may become: one that is open anything, one that waits for its cost only settled, or what its own process says
 * when it was taken for dead; one that is final nothing. So a row can be written again and again, by whoever knows of it,
 * and is counted once.
 */
const ON_CONFLICT = `on conflict (id) do update set ${REQUEST_COLUMNS.slice(1)
  .map(([name]) => `${name} = excluded.${name}`)
  .join(", ")} where requests.state = 'open' or (requests.state = 'pending' and (excluded.state = 'settled'
    or (requests.outcome = 'interrupted' and excluded.state = 'pending' and excluded.outcome <> 'interrupted')))`;

const intoSqlite = insertOne("requests", REQUEST_COLUMNS, ON_CONFLICT);
const intoPostgres = insertAll("requests", REQUEST_COLUMNS, `${ON_CONFLICT} returning id`);

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
    await addToRollups(database, transaction, written.filter(isFinal));
    return written;
  });
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
        row.model_asked,
        row.model_sent,
        row.model_answered,
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
