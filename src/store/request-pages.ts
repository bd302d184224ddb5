import { setImmediate } from "node:timers/promises";
import type { Database } from "./database.ts";
import type { RequestRow } from "./request-row.ts";
import { idAt } from "./row-id.ts";

const PAGE = 1_000;

/** Which rows of the ledger to give. */
export interface RequestFilter {
  /** ms since 1970, of their beginning; `to` is not included. */
  readonly from: number;
  readonly to: number;
  readonly keyId?: string | undefined;
  readonly state?: RequestRow["state"] | undefined;
}

/**
 * Gives rows of the ledger in the order of their beginning, page by page as they are asked for, so that an export of any
 * length takes the memory of one page, and no transaction.
 */
export async function* requestPages(
  { kysely }: Database,
  { from, to, keyId, state }: RequestFilter,
): AsyncGenerator<RequestRow[]> {
  const end = idAt(to);
  const inRange = kysely.selectFrom("requests").where("id", "<", end).orderBy("id");
  let matching = inRange.selectAll();
  if (keyId !== undefined) matching = matching.where("key_id", "=", keyId);
  if (state !== undefined) matching = matching.where("state", "=", state);
  let start = idAt(from);
  for (;;) {
    // Cut before it is filtered: however few rows match, no statement looks at more than a page of them.
    const next = await inRange.select("id").where("id", ">=", start).offset(PAGE).limit(1).executeTakeFirst();
    const page = await matching
      .where("id", ">=", start)
      .where("id", "<", next?.id ?? end)
      .execute();
    if (page.length > 0) yield page;
    if (!next) return;
    start = next.id;
    // SQLite answers at once: without this, an export would keep every other request waiting until its end.
    await setImmediate();
  }
}
