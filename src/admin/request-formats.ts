import type { RequestRow } from "../metering/record.ts";
import { formatCsvLine } from "../presentation/csv.ts";
import { REQUEST_CSV_COLUMNS, type RequestJson, toRequestJson } from "../presentation/request-json.ts";
import { formatTimestamp } from "../presentation/timestamp.ts";

/** Formats of exports. */
export const REQUEST_FORMATS = ["json", "ndjson", "csv"] as const;
export type RequestFormat = (typeof REQUEST_FORMATS)[number];

/** Media types by format. */
export const REQUEST_MEDIA_TYPES: Readonly<Record<RequestFormat, string>> = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8",
};

/** The data at the end of a page. */
export interface PageEnd {
  /** Cursor of the next page; null after the last page; undefined if the request selects all rows. */
  next: string | null | undefined;
  /** Start of the last searched request, in ms since 1970, if the search ended before the page was full. */
  searchedTo: number | undefined;
}

const NO_PAGE: PageEnd = { next: undefined, searchedTo: undefined };

/** Formats pages of rows as the text of an export, page by page. @param end read after the last page. */
export async function* formatExport(
  pages: AsyncIterable<readonly RequestRow[]>,
  format: RequestFormat,
  end: PageEnd = NO_PAGE,
): AsyncGenerator<string> {
  const { head, between, formatTail, formatRow } = SHAPES[format];
  let before = head;
  let empty = true;
  for await (const page of pages) {
    yield before + page.map((row) => formatRow(toRequestJson(row))).join(between);
    before = between;
    empty = false;
  }
  const tail = formatTail(end);
  yield empty ? head + tail : tail;
}

interface Shape {
  readonly head: string;
  readonly between: string;
  readonly formatTail: (end: PageEnd) => string;
  readonly formatRow: (row: RequestJson) => string;
}

const SHAPES: Readonly<Record<RequestFormat, Shape>> = {
  json: {
    head: '{"data":[',
    between: ",\n",
    formatTail: formatJsonTail,
    formatRow: (row) => JSON.stringify(row),
  },
  ndjson: { head: "", between: "", formatTail: () => "", formatRow: (row) => `${JSON.stringify(row)}\n` },
  csv: {
    head: formatCsvLine(REQUEST_CSV_COLUMNS),
    between: "",
    formatTail: () => "",
    formatRow: (row) => formatCsvLine(REQUEST_CSV_COLUMNS.map((name) => row[name])),
  },
};

function formatJsonTail({ next, searchedTo }: PageEnd): string {
  if (next === undefined) return "]}\n";
  const searched = searchedTo === undefined ? "" : `,"searched_to":"${formatTimestamp(searchedTo)}"`;
  return `],"next_cursor":${JSON.stringify(next)}${searched}}\n`;
}
