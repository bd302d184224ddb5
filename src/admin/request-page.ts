import type { RequestRow } from "../metering/record.ts";
import { parseRowIdTime } from "../metering/record.ts";
import type { ScannedRows } from "../metering/sql/export.ts";
import { encodeCursor } from "./cursor.ts";
import { formatExport, type PageEnd, type RequestFormat } from "./request-formats.ts";

/** After this time, a page ends even if it is not full, so that a search for rare rows responds soon. */
const SEARCH_MAX_MS = 1_000;

/** A page, as text. */
export interface RequestPage {
  readonly text: string;
  readonly end: PageEnd;
}

/** Reads and formats a page. Database pages are formatted as they arrive, so the event loop is never blocked for long. */
export async function readRequestPage(
  scan: AsyncIterable<ScannedRows>,
  limit: number,
  format: RequestFormat,
): Promise<RequestPage> {
  const end: PageEnd = { next: null, searchedTo: undefined };
  const text = await Array.fromAsync(formatExport(takeRows(scan, limit, end), format, end));
  return { text: text.join(""), end };
}

/** Yields at most `limit` rows, and sets `end`. A cursor follows if a row beyond the limit exists or the time is over. */
async function* takeRows(
  scan: AsyncIterable<ScannedRows>,
  limit: number,
  end: PageEnd,
): AsyncGenerator<readonly RequestRow[]> {
  const stopAt = performance.now() + SEARCH_MAX_MS;
  let left = limit;
  let last = "";
  for await (const { rows, lastId } of scan) {
    const taken = rows.slice(0, left);
    if (taken.length > 0) yield taken;
    left -= taken.length;
    const isFull = taken.length < rows.length;
    last = isFull ? (taken.at(-1)?.id ?? last) : lastId;
    if (!isFull && performance.now() < stopAt) continue;
    end.next = encodeCursor(last);
    if (left > 0) end.searchedTo = parseRowIdTime(last);
    return;
  }
}
