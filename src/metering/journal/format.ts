import { crc32 } from "node:zlib";
import type { RequestRow } from "../record.ts";

/** What is known of a request when it begins, as it stands in the journal. */
export type StartEntry = Pick<
  RequestRow,
  | "id"
  | "request_id"
  | "key_id"
  | "key_name"
  | "requested_model"
  | "forwarded_model"
  | "stream"
  | "bytes_in"
  | "started_at"
>;

/** What upstream's head says of a request. */
export interface HeadEntry {
  readonly status: number;
  readonly generationId: string | undefined;
}

/**
 * A line of the journal: a request begins, upstream's head has come, or the whole row of one that has ended. A head repeats
 * the opening, so that either line alone accounts for the request when the other one is damaged.
 */
export type JournalEntry =
  | readonly ["open", StartEntry]
  | readonly ["head", id: string, HeadEntry, StartEntry?]
  | readonly ["row", RequestRow];

/** An entry as it stands in the journal, with the line feed at its end. */
export function formatEntry(entry: JournalEntry): string {
  return lineWithChecksum(JSON.stringify(entry).slice(0, -1));
}

function lineWithChecksum(unclosed: string): string {
  return `${unclosed}${checksumOf(unclosed)}\n`;
}

/**
 * What closes the JSON array of a line: its last item, the CRC-32 of all before it, so that a flipped bit is detected and
 * not read as another cost, key or id. @param unclosed the JSON of an entry without its closing bracket.
 */
export function checksumOf(unclosed: string): string {
  return `,${crc32(unclosed)}]`;
}

/** Ids, and the usual names of keys and models: to look costs a third of what it takes to stringify. */
const NEEDS_NO_ESCAPE = /^[\w.:/@-]*$/;

// The two lines that every request waits for are concatenated: half of what it takes to stringify the whole.
const quoted = (text: string | null): string =>
  text !== null && NEEDS_NO_ESCAPE.test(text) ? `"${text}"` : JSON.stringify(text);

/** The same line as {@link formatEntry} for the beginning of a request. */
export function formatStartEntry(startEntry: StartEntry): string {
  return lineWithChecksum(`["open",${openingJson(startEntry)}`);
}

function openingJson(startEntry: StartEntry): string {
  const { id, request_id, key_id, key_name, requested_model, forwarded_model, stream, bytes_in, started_at } =
    startEntry;
  return `{"id":${quoted(id)},"request_id":${quoted(request_id)},"key_id":${quoted(key_id)},"key_name":${quoted(key_name)},"requested_model":${quoted(requested_model)},"forwarded_model":${quoted(forwarded_model)},"stream":${stream},"bytes_in":${bytes_in},"started_at":${started_at}}`;
}

/** The same line as {@link formatEntry} for upstream's head. */
export function formatHeadEntry(startEntry: StartEntry, { status, generationId }: HeadEntry): string {
  const generation = generationId === undefined ? "" : `,"generationId":${quoted(generationId)}`;
  return lineWithChecksum(
    `["head",${quoted(startEntry.id)},{"status":${status}${generation}},${openingJson(startEntry)}`,
  );
}
