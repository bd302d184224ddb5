import type { JsonObject } from "../json-values.ts";
import { joinList } from "../upstream/model-list.ts";
import { formatModelQuery, type ModelQuery } from "./model-query.ts";

/**
 * Formats a list of the entries that a key may use, cut to the requested page.
 * @param usable JSON of the entries. @param fields fields of OpenRouter's list other than its entries.
 * @param query the query, and the path of the list, to which the link to the next page leads.
 */
export function formatPage(
  usable: readonly Buffer[],
  fields: JsonObject,
  { filter, page, url }: ModelQuery & { readonly url: string },
): Buffer {
  const count = page || fields["total_count"] !== undefined ? { total_count: usable.length } : {};
  if (!page) return joinList(usable, { ...fields, ...count });
  const end = page.offset + page.limit;
  const next = formatModelQuery(filter, { offset: end, limit: page.limit });
  const links = { next: end < usable.length ? `${url}?${next}` : null };
  return joinList(usable.slice(page.offset, end), { ...fields, ...count, links });
}
