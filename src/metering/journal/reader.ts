import { createReadStream } from "node:fs";
import { checksumOf, type JournalEntry } from "./format.ts";

/**
 * Reads a segment of a journal line by line. It skips a line that is incomplete, as a full disk leaves one, that differs from
 * its checksum, or that is no entry.
 * @param onDamaged called for each such line.
 */
export async function* readEntries(path: string, onDamaged: () => void): AsyncGenerator<JournalEntry> {
  let hasChecksums = false;
  for await (const line of linesOf(path)) {
    const end = line.lastIndexOf(",");
    const unclosed = line.slice(0, end);
    const isIntact = end !== -1 && line.slice(end) === checksumOf(unclosed);
    hasChecksums ||= isIntact;
    // Journals were written without checksums once: such a line is read in a file that has none.
    const isOld = !hasChecksums && line.endsWith("}]");
    const entry = isIntact ? parse(`${unclosed}]`) : isOld ? parse(line) : undefined;
    if (entry) yield entry;
    else onDamaged();
  }
}

/** Node's readline ends a line at U+2028 too, which JSON does not escape and a caller may put into the name of a model. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(path, "utf8") as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function parse(line: string): JournalEntry | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return isEntry(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it names its request. What is damaged can be JSON all the same, and must not stop those who read on. */
function isEntry(entry: unknown): entry is JournalEntry {
  if (!Array.isArray(entry)) return false;
  const [kind, subject, head] = entry as unknown[];
  if (kind === "head") return typeof subject === "string" && typeof head === "object" && head !== null;
  if (kind !== "open" && kind !== "row") return false;
  return typeof subject === "object" && subject !== null && "id" in subject && typeof subject.id === "string";
}
