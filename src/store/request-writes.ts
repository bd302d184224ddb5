import type { StatementSync } from "node:sqlite";
import { sql, type Transaction } from "kysely";
import type { Database } from "./database.ts";
import { isFinal, REQUEST_COLUMNS, type RequestRow } from "./request-row.ts";
import { addToRollups } from "./rollups.ts";
import type { Tables } from "./tables.ts";

const COLUMNS = REQUEST_COLUMNS.map(([name]) => name);
const LIST = COLUMNS.join(", ");

/**
 * What a row may become: one that is open anything, one that waits for its cost only settled, or what its own process says
 * when it was taken for dead; one that is final nothing. So a row can be written again and again, by whoever knows of it,
 * and is counted once.
 */
const UPSERT = `on conflict (id) do update set ${COLUMNS.slice(1)
  .map((name) => `${name} = excluded.${name}`)
  .join(", ")} where requests.state = 'open' or (requests.state = 'pending' and (excluded.state = 'settled'
    or (requests.outcome = 'interrupted' and excluded.state = 'pending' and excluded.outcome <> 'interrupted')))`;

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
      ? upsertIntoSqlite(statementFor(database.sqlite), rows)
      : await upsertIntoPostgres(transaction, rows);
    await addToRollups(transaction, written.filter(isFinal));
    return written;
  });
}

/** Kysely makes the text of a statement anew each time, which costs more than SQLite takes to run it. */
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
        row.reasoning_tokens,
        row.cost_nanodollars,
        row.cost_source,
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

const statements = new WeakMap<object, StatementSync>();

function statementFor(sqlite: NonNullable<Database["sqlite"]>): StatementSync {
  const known = statements.get(sqlite);
  if (known) return known;
  const values = COLUMNS.map(() => "?").join(", ");
  const statement = sqlite.prepare(`insert into requests (${LIST}) values (${values}) ${UPSERT}`);
  statements.set(sqlite, statement);
  return statement;
}

const RECORD = REQUEST_COLUMNS.map(([name, type]) => `${name} ${type}`).join(", ");

async function upsertIntoPostgres(
  transaction: Transaction<Tables>,
  rows: readonly RequestRow[],
): Promise<RequestRow[]> {
  const written = await sql<{ id: string }>`
    insert into requests (${sql.raw(LIST)})
    select ${sql.raw(LIST)} from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as row (${sql.raw(RECORD)})
    ${sql.raw(UPSERT)} returning id`.execute(transaction);
  const ids = new Set(written.rows.map(({ id }) => id));
  return rows.filter(({ id }) => ids.has(id));
}
