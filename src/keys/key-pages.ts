import { allowsModel } from "../auth/model-policy.ts";
import { normalizeModelId } from "../request/model-id.ts";
import type { Database } from "../store/database.ts";
import { type KeyFilter, listKeys } from "./key-rows.ts";
import { type ManagedKey, toManagedKey } from "./managed-key.ts";

/** A page of keys or groups. */
export interface ListPage<T> {
  readonly entries: readonly T[];
  /** The `after` of the next page; null after the last page. */
  readonly nextAfter: string | null;
}

/** Selects a page of keys. */
export interface KeyPageFilter extends KeyFilter {
  /** Model id, with or without the optional prefix: selects the callers' keys that may use it. */
  readonly model?: string | undefined;
}

/** Keys that a page with `model` compares with the model at most, so that a rare model does not delay other requests. */
export const VISITED_MAX = 2_000;
/** Keys that one statement reads to compare them with a model. They are compared without a pause. */
const BATCH_ROWS = 250;

/**
 * Cuts a list that was read with one entry more than a page has, so that the next page is known to exist.
 * @param limit entries of a page.
 */
export function toListPage<T extends { readonly id: string }>(
  found: readonly T[],
  limit: number,
): ListPage<T> {
  const entries = found.slice(0, limit);
  return { entries, nextAfter: found.length > limit ? (entries.at(-1)?.id ?? null) : null };
}

/**
 * Reads a page of keys. With `model`, the page can have fewer keys than `limit`, even none, and a next page: the patterns of
 * at most {@link VISITED_MAX} keys are compared with the model.
 */
export async function readKeyPage(
  database: Database,
  { model, limit, ...filter }: KeyPageFilter,
): Promise<ListPage<ManagedKey>> {
  const id = model === undefined ? undefined : normalizeModelId(model);
  const batch = id === undefined ? limit + 1 : BATCH_ROWS;
  const found: ManagedKey[] = [];
  let after = filter.after;
  for (let visited = 0; visited < VISITED_MAX; visited += batch) {
    const rows = await listKeys(database, { ...filter, after, limit: batch });
    for (const row of rows) {
      const key = toManagedKey(row);
      if (id === undefined || mayUse(key, id)) found.push(key);
      if (found.length > limit) return toListPage(found, limit);
    }
    if (rows.length < batch) return { entries: found, nextAfter: null };
    after = rows.at(-1)?.id;
  }
  return { entries: found, nextAfter: after ?? null };
}

/** An admin key can be used for no model. */
function mayUse({ role, models }: ManagedKey, model: string): boolean {
  return role === "caller" && allowsModel(models, model);
}
