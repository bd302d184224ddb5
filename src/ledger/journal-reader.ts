import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Entry } from "./journal.ts";

/**
 * Reads a segment of a journal line by line. A line that is not whole, as a full disk leaves one, is passed over.
 * @param onDamaged told of each such line.
 */
export async function* entriesOf(path: string, onDamaged: () => void = () => {}): AsyncGenerator<Entry> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity });
  for await (const line of lines) {
    const entry = parse(line);
    if (entry) yield entry;
    else onDamaged();
  }
}

function parse(line: string): Entry | undefined {
  try {
    return JSON.parse(line) as Entry;
  } catch {
    return undefined;
  }
}
