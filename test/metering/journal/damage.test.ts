import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ENTRY, type HeadEntry, type StartEntry } from "../../../src/metering/journal/format.ts";
import { Journal } from "../../../src/metering/journal/journal.ts";
import { createInterruptedRow, createOpenRow } from "../../../src/metering/request-row.ts";
import type { RequestRow } from "../../../src/metering/record.ts";
import { listSegments, recover } from "../../support/journal.ts";
import { createTemporaryDirectory } from "../../support/temporary-directory.ts";
import { waitUntil, waitFor } from "../../support/wait.ts";
import { createStartEntry } from "../../support/request-context.ts";
import { createEndedEntry, startBatchWriter } from "../../support/batch-writer.ts";

const JOURNAL_BYTES = 40_000;

/** A request, and the lines that its process wrote for it. */
interface Written {
  readonly startEntry: StartEntry;
  readonly head: HeadEntry | undefined;
  /** Its final row, if the process spilled it because the database failed. */
  readonly row: RequestRow | undefined;
}

const head = (generationId?: string): HeadEntry => ({ status: 200, generationId });

function createRequests(count: number): Written[] {
  return Array.from({ length: count }, (_, number) => {
    const startEntry = createStartEntry(`${number}`, {
      key_id: `key_${number % 3}`,
      forwarded_model: ["a/b", "ключ 🔑\u2028", '"],1]\\'][number % 3] ?? null,
    });
    const cost = { state: "settled", cost_nanodollars: 5, generation_id: `gen-${number}` } as const;
    return {
      startEntry,
      head: number % 4 === 0 ? undefined : head(number % 4 === 1 ? undefined : `gen-${number}`),
      row: number % 5 === 3 ? { ...createOpenRow(startEntry, "me"), ...cost } : undefined,
    };
  });
}

/** Writes the journal of a dead process. @returns the paths of its segments, in order. */
async function writeJournal(directory: string, requests: readonly Written[]): Promise<string[]> {
  const journal = new Journal(directory, "me", JOURNAL_BYTES);
  for (const { startEntry, head: headEntry, row } of requests) {
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    journal.recordStart(startEntry, headEntry ? () => {} : resolve);
    if (headEntry) journal.recordHead(startEntry, headEntry, resolve);
    expect(await waitFor(promise, "the lines to be written")).toBeUndefined();
    if (row) journal.spill([row]);
  }
  journal.close();
  return listSegments(directory).map((name) => join(directory, name));
}

async function recoverById(directory: string) {
  const { rows, found } = await recover(directory);
  return { rows: new Map(rows.map((row) => [row.id, row])), count: rows.length, found };
}

/** Returns the lines of a file, byte for byte, without the empty string after the last line feed. */
function splitLines(bytes: Buffer): string[] {
  const lines = bytes.toString("latin1").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** One fault of a file: its kind, its position as a fraction of the length, and the bytes that it writes. */
const fault = fc.record({
  kind: fc.constantFrom("flip", "overwrite", "zero", "cut off", "cut out", "line feed"),
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
});

type Fault = typeof fault extends fc.Arbitrary<infer T> ? T : never;

function damage(file: Buffer, { kind, at, bytes }: Fault): Buffer {
  const start = Math.floor(at * file.length);
  const end = Math.min(start + bytes.length, file.length);
  const damaged = Buffer.from(file);
  if (kind === "cut off") return damaged.subarray(0, start);
  if (kind === "cut out") return Buffer.concat([damaged.subarray(0, start), damaged.subarray(end)]);
  if (kind === "flip") damaged[start] = (damaged[start] ?? 0) ^ (1 << ((bytes[0] ?? 0) & 7));
  if (kind === "overwrite") damaged.set(bytes.subarray(0, end - start), start);
  if (kind === "zero") damaged.fill(0, start, end);
  if (kind === "line feed") damaged[start] = 0x0a;
  return damaged;
}

/** Returns whether a recovered row has only data from intact lines, including the head if its line is intact. */
function isAsWritten(
  { startEntry, head: headEntry, row: finalRow }: Written,
  rows: ReadonlyMap<string, RequestRow>,
  headsLeft: ReadonlySet<string>,
): boolean {
  const row = rows.get(startEntry.id);
  if (!row || isDeepStrictEqual(row, finalRow)) return true;
  const possible = headsLeft.has(startEntry.id) ? [headEntry] : [undefined, headEntry];
  const open = createOpenRow(startEntry, "me");
  return possible.some((entry) =>
    isDeepStrictEqual(row, createInterruptedRow(open, entry, row.ended_at ?? 0)),
  );
}

test("recovers each request with an intact line, and no row from damaged lines, for any damage to the files", async () => {
  const requests = createRequests(40);
  await fc.assert(
    fc.asyncProperty(fc.array(fault, { minLength: 1, maxLength: 12 }), fc.nat(), async (faults, salt) => {
      const directory = createTemporaryDirectory();
      const paths = await writeJournal(directory, requests);
      expect(paths.length).toBeGreaterThan(2);
      const intact = new Set(paths.flatMap((path) => splitLines(readFileSync(path))));
      for (const [index, fileFault] of faults.entries()) {
        const path = paths[(index + salt) % paths.length] ?? "";
        writeFileSync(path, damage(readFileSync(path), fileFault));
      }
      const left = paths.flatMap((path) => splitLines(readFileSync(path)));
      const readable = left
        .filter((line) => intact.has(line))
        .map((line) => JSON.parse(Buffer.from(line, "latin1").toString()));
      const { rows, count, found } = await recoverById(directory);
      const ids = new Set<string>(readable.map(([, { id }]) => id));
      expect(new Set(rows.keys())).toEqual(ids);
      expect(count).toBe(rows.size);
      expect(found.damagedLines).toBe(left.length - readable.length);
      const headsLeft = new Set<string>(
        readable.filter(([kind]) => kind === ENTRY.head).map(([, { id }]) => id),
      );
      const wrong = requests.filter((request) => !isAsWritten(request, rows, headsLeft));
      expect(wrong).toEqual([]);
    }),
    { numRuns: 150 },
  );
}, 60_000);

test("recovers the key of a request from its head line when its start line is damaged", async () => {
  const directory = createTemporaryDirectory();
  const startEntry = createStartEntry("1");
  const [path = ""] = await writeJournal(directory, [{ startEntry, head: head("gen-1"), row: undefined }]);
  writeFileSync(path, readFileSync(path, "utf8").replace('["start",{"id":"1"', '["start",{"id":"2"'));
  const { rows, found } = await recover(directory);
  expect(rows).toEqual([
    {
      ...createInterruptedRow(createOpenRow(startEntry, "me"), head("gen-1"), 0),
      ended_at: expect.any(Number),
      settle_at: expect.any(Number),
    },
  ]);
  expect(found).toEqual({ instances: 1, rows: 1, damagedLines: 1 });
});

test("reports a spilled row that cannot be read back, and keeps its file", async () => {
  const rows: string[] = [];
  let isDown = true;
  const { journal, writer, damaged } = startBatchWriter((some) => {
    if (isDown) return Promise.reject(new Error("down"));
    rows.push(...some.map(({ id }) => id));
    return Promise.resolve();
  });
  for (const id of ["1", "2", "3"]) writer.enqueue(createEndedEntry(id, journal));
  await waitUntil(() => journal.hasSpilled, "the rows in the journal");
  const [segment] = listSegments(journal.directory);
  const path = join(journal.directory, segment ?? "");
  const before = readFileSync(path, "utf8");
  writeFileSync(path, before.replace('["row",{"id":"2"', '["row",{"id":"9"'));
  isDown = false;
  await waitUntil(() => damaged.length > 0, "the report");
  expect([rows, damaged]).toEqual([["1", "3"], [1]]);
  await waitUntil(() => !existsSync(path), "the damaged segment to be renamed");
  expect(readFileSync(`${path}.damaged`, "utf8")).toContain('["row",{"id":"9"');
});
