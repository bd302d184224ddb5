import type { Database } from "./database.ts";
import type { RequestRow } from "./request-row.ts";
import { idAt } from "./retention.ts";

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
  let query = kysely.selectFrom("requests").selectAll().where("id", "<", idAt(to)).orderBy("id").limit(PAGE);
  if (keyId !== undefined) query = query.where("key_id", "=", keyId);
  if (state !== undefined) query = query.where("state", "=", state);
  let page = await query.where("id", ">=", idAt(from)).execute();
  while (page.length > 0) {
    yield page;
    const last = page.at(-1);
    page = last && page.length === PAGE ? await query.where("id", ">", last.id).execute() : [];
  }
}
