import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { formatEntry, type JournalEntry } from "../../src/metering/journal/format.ts";
import { type RecoveryResult, recoverJournals } from "../../src/metering/journal/replay.ts";
import type { RequestRow } from "../../src/metering/record.ts";

/** Writes a segment of a dead process. @param lines entries, or raw lines without a line feed. */
export function writeDeadJournal(
  directory: string,
  name: string,
  ...lines: readonly (JournalEntry | string)[]
): void {
  const texts = lines.map((line) => (typeof line === "string" ? `${line}\n` : formatEntry(line)));
  writeFileSync(join(directory, name), texts.join(""));
}

/** Adds a checksum to a line that is not an entry. @param unclosed a JSON array without its closing bracket. */
export function addChecksum(unclosed: string): string {
  return `${unclosed},${crc32(unclosed)}]`;
}

/** Recovers the journals of a directory. @returns the written rows and the result. */
export async function recover(
  directory: string,
  own = "own",
): Promise<{ rows: RequestRow[]; found: RecoveryResult }> {
  const rows: RequestRow[] = [];
  const found = await recoverJournals(directory, own, {
    write: (some) => {
      rows.push(...some);
      return Promise.resolve(some.length);
    },
    onComplete: () => Promise.resolve(),
  });
  return { rows, found };
}

/** Lists the file names of the segments in a directory. */
export function listSegments(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith(".jsonl"));
}
