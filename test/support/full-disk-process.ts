// Writes journal lines until one fails, and then one line to the next file. The test limits the size of files, so that
// a file behaves as on a full disk. Prints the result of each line, and exits without closing the journal.
import { Journal, JournalFull } from "../../src/metering/journal/journal.ts";
import { createOpenRow } from "../../src/metering/request-row.ts";
import { createStartEntry } from "./request-context.ts";

const [directory = "", spills] = process.argv.slice(2);
const journal = new Journal(directory, "me", 1_000_000);
const results: string[] = [];
const begin = async (id: string): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  journal.recordStart(createStartEntry(id), resolve);
  const error = await promise;
  results.push(`${id} ${error instanceof JournalFull ? "full" : "kept"}`);
};
const spill = (id: string): void => {
  try {
    journal.spill([createOpenRow(createStartEntry(id), "me")]);
    results.push(`${id} kept`);
  } catch (error) {
    results.push(`${id} ${error instanceof JournalFull ? "full" : String(error)}`);
  }
};
for (let id = 1; !results.some((line) => line.endsWith("full")); id++) {
  if (spills === "spill") spill(String(id));
  else await begin(String(id));
}
// The journal writes this line to a new file, which is below the size limit.
await begin("after");
process.stdout.write(JSON.stringify(results));
process.kill(process.pid, "SIGKILL");
