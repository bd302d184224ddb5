import type { Database } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { writeRequests } from "../../src/metering/sql/upsert.ts";
import { toRowIdPrefix } from "../../src/metering/record.ts";
import { createRequestRow } from "./request-row.ts";

const BATCH = 500;

/** Opens an empty database that is closed when the test ends. */
export type OpenDatabase = () => Promise<Database>;

/** 1 November 2026, 00:00 UTC. */
export const NOVEMBER = Date.UTC(2026, 10, 1);

/** Creates a settled row of a request that began `ms` after `NOVEMBER`. Different values of `number` give different ids. */
export function createSettledRow(ms: number, fields: Partial<RequestRow> = {}, number = 0): RequestRow {
  const id = `${toRowIdPrefix(NOVEMBER + ms)}i${String(number).padStart(6, "0")}`;
  return createRequestRow(id, {
    generation_id: `gen-${id}`,
    key_id: "key_a",
    key_name: "a",
    provider: "Google",
    status: 200,
    outcome: "complete",
    state: "settled",
    prompt_tokens: 10,
    completion_tokens: 5,
    cost_nanodollars: 1_500,
    cost_source: "stream",
    started_at: NOVEMBER + ms,
    ended_at: NOVEMBER + ms + 200,
    ...fields,
  });
}

/** Writes rows in batches, as the gateway does. */
export async function insertRequests(database: Database, rows: readonly RequestRow[]): Promise<void> {
  for (let at = 0; at < rows.length; at += BATCH) await writeRequests(database, rows.slice(at, at + BATCH));
}
