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
