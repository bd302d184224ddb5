import type { RequestRow } from "../store/request-row.ts";

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

/** A line of the journal: a request begins, upstream's head has come, or the whole row of one that has ended. */
export type Entry =
  | readonly ["open", Opening]
  | readonly ["head", id: string, Head]
  | readonly ["row", RequestRow];

/** An entry as it stands in the journal, with the line feed at its end. */
export function lineOf(entry: Entry): string {
  return `${JSON.stringify(entry)}\n`;
}

/** Ids, and the usual names of keys and models: to look costs a third of what it takes to stringify. */
const NEEDS_NO_ESCAPE = /^[\w.:/@-]*$/;

// The two that every request waits for, put together by hand: half of what it takes to stringify the whole.
const quoted = (text: string | null): string =>
  text !== null && NEEDS_NO_ESCAPE.test(text) ? `"${text}"` : JSON.stringify(text);

/** The same for the beginning of a request. */
export function openLine(opening: Opening): string {
  const { id, request_id, key_id, key_name, model_asked, model_sent, stream, bytes_in, started_at } = opening;
  return `["open",{"id":${quoted(id)},"request_id":${quoted(request_id)},"key_id":${quoted(key_id)},"key_name":${quoted(key_name)},"model_asked":${quoted(model_asked)},"model_sent":${quoted(model_sent)},"stream":${stream},"bytes_in":${bytes_in},"started_at":${started_at}}]\n`;
}

/** The same for upstream's head. */
export function headLine(id: string, { status, generationId }: Head): string {
  const generation = generationId === undefined ? "" : `,"generationId":${quoted(generationId)}`;
  return `["head",${quoted(id)},{"status":${status}${generation}}]\n`;
}
