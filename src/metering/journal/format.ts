import { crc32 } from "node:zlib";
import type { RequestRow } from "../record.ts";

/** What is known of a request when it begins, as it stands in the journal. */
export type Opening = Pick<
  RequestRow,
  | "id"
  | "request_id"
  | "key_id"
  | "key_name"
  | "model_asked"
  | "model_sent"
  | "stream"
  | "bytes_in"
  | "started_at"
>;

/** What upstream's head says of a request. */
export interface Head {
  readonly status: number;
  readonly generationId: string | undefined;
}

/**
 * A line of the journal: a request begins, upstream's head has come, or the whole row of one that has ended. A head repeats
 * the opening, so that either line alone accounts for the request when the other one is damaged.
 */
export type Entry =
  | readonly ["open", Opening]
  | readonly ["head", id: string, Head, Opening?]
  | readonly ["row", RequestRow];

/** An entry as it stands in the journal, with the line feed at its end. */
export function lineOf(entry: Entry): string {
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

/** The same line as {@link lineOf} for the beginning of a request. */
export function openLine(opening: Opening): string {
  return lineWithChecksum(`["open",${openingJson(opening)}`);
}

function openingJson(opening: Opening): string {
  const { id, request_id, key_id, key_name, model_asked, model_sent, stream, bytes_in, started_at } = opening;
  return `{"id":${quoted(id)},"request_id":${quoted(request_id)},"key_id":${quoted(key_id)},"key_name":${quoted(key_name)},"model_asked":${quoted(model_asked)},"model_sent":${quoted(model_sent)},"stream":${stream},"bytes_in":${bytes_in},"started_at":${started_at}}`;
}

/** The same line as {@link lineOf} for upstream's head. */
export function headLine(opening: Opening, { status, generationId }: Head): string {
  const generation = generationId === undefined ? "" : `,"generationId":${quoted(generationId)}`;
  return lineWithChecksum(
    `["head",${quoted(opening.id)},{"status":${status}${generation}},${openingJson(opening)}`,
  );
}
