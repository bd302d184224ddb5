import { createReadStream } from "node:fs";
import { crc32 } from "node:zlib";
import type { RequestRow } from "../record.ts";

/** What is known of a request when it starts. */
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

/** What the head of upstream's response states. */
export interface HeadEntry {
  readonly status: number;
  readonly generationId: string | undefined;
}

/** The kinds of entries: a request starts, the head of its response has arrived, or the whole row of one that has ended. */
export const ENTRY = { start: "start", head: "head", row: "row" } as const;

/**
 * What one line of a journal states. A head repeats the start, so that either line alone accounts for the request when the
 * other one is damaged.
 */
export type JournalEntry =
  | readonly [typeof ENTRY.start, StartEntry]
  | readonly [typeof ENTRY.head, StartEntry, HeadEntry]
  | readonly [typeof ENTRY.row, RequestRow];

/** Formats the line of an entry: a JSON array whose last item is the checksum, and a line feed. */
export function formatEntry(entry: JournalEntry): string {
  const unclosed = JSON.stringify(entry).slice(0, -1);
  return `${unclosed}${formatChecksum(unclosed)}\n`;
}

/**
 * Formats what closes the JSON array of a line: its last item, the CRC-32 of all before it, so that a flipped bit is detected
 * and not read as another cost, key or id. @param unclosed the JSON of an entry without its closing bracket.
 */
function formatChecksum(unclosed: string): string {
  return `,${crc32(unclosed)}]`;
}

/**
 * Reads a segment of a journal line by line. It skips a line that is incomplete, as a full disk leaves one, that differs from
 * its checksum, or that is no entry.
 * @param onDamaged called for each such line.
 */
export async function* readEntries(path: string, onDamaged: () => void): AsyncGenerator<JournalEntry> {
  for await (const line of readLines(path)) {
    const entry = parseLine(line);
    if (entry) yield entry;
    else onDamaged();
  }
}

/** Node's readline ends a line at U+2028 too, which JSON does not escape and a caller may put into the name of a model. */
async function* readLines(path: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(path, "utf8") as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function parseLine(line: string): JournalEntry | undefined {
  const end = line.lastIndexOf(",");
  const unclosed = line.slice(0, end);
  if (end === -1 || line.slice(end) !== formatChecksum(unclosed)) return undefined;
  try {
    const entry: unknown = JSON.parse(`${unclosed}]`);
    return isEntry(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it names its request. A line can have its checksum without being an entry, and must not stop the replay. */
function isEntry(value: unknown): value is JournalEntry {
  if (!Array.isArray(value)) return false;
  const [kind, subject, head] = value as unknown[];
  if (!hasId(subject)) return false;
  if (kind === ENTRY.head) return typeof head === "object" && head !== null;
  return kind === ENTRY.start || kind === ENTRY.row;
}

function hasId(value: unknown): boolean {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string";
}
