import { createReadStream } from "node:fs";
import { crc32 } from "node:zlib";
import type { RequestRow } from "../record.ts";

/** The properties of a request that are known at its start. */
export type StartEntry = Pick<
  RequestRow,
  | "id"
  | "request_id"
  | "key_id"
  | "key_name"
  | "endpoint"
  | "session"
  | "group_id"
  | "end_user"
  | "reserved_nanodollars"
  | "reserved_in"
  | "requested_model"
  | "forwarded_model"
  | "stream"
  | "bytes_in"
  | "started_at"
>;

/** The head of upstream's response, as far as the ledger needs it. */
export interface HeadEntry {
  readonly status: number;
  readonly generationId: string | undefined;
}

/** Kinds of entries: the start of a request, the arrival of its response head, and the final row of an ended request. */
export const ENTRY = { start: "start", head: "head", row: "row" } as const;

/**
 * One line of a journal. A head entry repeats the start entry, so that either line alone accounts for the request if the
 * other line is damaged.
 */
export type JournalEntry =
  | readonly [typeof ENTRY.start, StartEntry]
  | readonly [typeof ENTRY.head, StartEntry, HeadEntry]
  | readonly [typeof ENTRY.row, RequestRow];

/** Columns that entries of earlier versions lack. All their requests were chat completions. */
const ADDED_COLUMNS = {
  endpoint: "chat/completions",
  session: null,
  group_id: null,
  end_user: null,
  reserved_nanodollars: null,
  reserved_in: null,
} as const;

/** Formats an entry as one line: a JSON array whose last item is the checksum, and a line feed. */
export function formatEntry(entry: JournalEntry): string {
  const unclosed = JSON.stringify(entry).slice(0, -1);
  return `${unclosed}${formatChecksum(unclosed)}\n`;
}

/**
 * Formats the last item of a line, the CRC-32 of the text before it, and the closing bracket. The checksum detects flipped
 * bits, which could otherwise change a cost, key or id. @param unclosed the JSON of an entry without its closing bracket.
 */
function formatChecksum(unclosed: string): string {
  return `,${crc32(unclosed)}]`;
}

/**
 * Reads a segment of a journal line by line. Skips damaged lines: those that are incomplete (for example after a full disk),
 * do not match their checksum, or are not entries.
 * @param onDamaged called for each damaged line.
 */
export async function* readEntries(path: string, onDamaged: () => void): AsyncGenerator<JournalEntry> {
  for await (const line of readLines(path)) {
    const entry = parseLine(line);
    if (entry) yield entry;
    else onDamaged();
  }
}

/**
 * Replaces Node's readline, which also splits at U+2028. JSON does not escape U+2028, and a client may send it in a model
 * id.
 */
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
    if (!isEntry(entry)) return undefined;
    Object.assign(entry[1], { ...ADDED_COLUMNS, ...entry[1] });
    return entry;
  } catch {
    return undefined;
  }
}

/** Whether a value is an entry. A line with a valid checksum may contain another value, which must not stop the replay. */
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
