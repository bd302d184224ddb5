// A journal whose files may not grow beyond a limit, as on a full disk: writes lines until one is not kept, then one to
// the next file, says what it was told of each, and dies without a word to the journal.
import { Journal, JournalFull } from "../../src/metering/journal/journal.ts";
import { createOpenRow } from "../../src/metering/request-row.ts";
import { createStartEntry } from "./request-context.ts";

const [directory = "", spills] = process.argv.slice(2);
const journal = new Journal(directory, "me", 1_000_000);
const told: string[] = [];
const begin = async (id: string): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  journal.recordStart(createStartEntry(id), resolve);
  const error = await promise;
  told.push(`${id} ${error instanceof JournalFull ? "full" : "kept"}`);
};
const spill = (id: string): void => {
  try {
    journal.spill([createOpenRow(createStartEntry(id), "me")]);
    told.push(`${id} kept`);
  } catch (error) {
    told.push(`${id} ${error instanceof JournalFull ? "full" : String(error)}`);
  }
};
for (let id = 1; !told.some((line) => line.endsWith("full")); id++) {
  if (spills === "spill") spill(String(id));
  else await begin(String(id));
}
// Another file, which has room.
await begin("after");
process.stdout.write(JSON.stringify(told));
process.kill(process.pid, "SIGKILL");
