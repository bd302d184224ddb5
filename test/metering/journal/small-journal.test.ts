import { readdirSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { Journal, JournalFull, type Segment } from "../../../src/metering/journal/journal.ts";
import { createTemporaryDirectory } from "../../support/temporary-directory.ts";
import { waitFor } from "../../support/wait.ts";
import { createStartEntry } from "../../support/request-context.ts";

const MAX_BYTES = 100_000;

function start() {
  const directory = createTemporaryDirectory();
  const journal = new Journal(directory, "me", MAX_BYTES);
  onTestFinished(() => journal.close());
  return { journal, segments: () => readdirSync(directory).filter((name) => name.endsWith(".jsonl")).length };
}

async function begin(journal: Journal, id: string): Promise<Segment> {
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  const segment = journal.recordStart(createStartEntry(id), resolve);
  expect(await waitFor(promise, "the line to be written")).toBeUndefined();
  return segment;
}

test("never fills a small journal with requests that have ended", async () => {
  const { journal, segments } = start();
  const long = await begin(journal, "long");
  for (let id = 0; id < 3_000; id++) journal.release(await begin(journal, String(id)));
  expect(segments()).toBeLessThanOrEqual(3);
  journal.release(long);
});

test("accepts new requests after the in-flight requests that filled the journal have ended", async () => {
  const { journal } = start();
  const tryToBegin = (id: string): Promise<Segment | undefined> =>
    begin(journal, id).catch((error: unknown) => {
      if (error instanceof JournalFull) return undefined;
      throw error;
    });
  const fill = async (): Promise<Segment[]> => {
    const begun: Segment[] = [];
    for (let segment = await tryToBegin("0"); segment; segment = await tryToBegin(String(begun.length)))
      begun.push(segment);
    return begun;
  };
  const first = await fill();
  expect(first.length).toBeGreaterThan(300);
  for (const segment of first) journal.release(segment);
  const second = await fill();
  expect(second.length).toBeGreaterThan(first.length / 2);
  for (const segment of second) journal.release(segment);
});
