import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ENTRY, formatEntry, type JournalEntry, readEntries } from "../../../src/metering/journal/format.ts";
import { createTemporaryDirectory } from "../../support/temporary-directory.ts";
import { createStartEntry } from "../../support/request-context.ts";

async function read(bytes: string | Buffer): Promise<{ entries: JournalEntry[]; damaged: number }> {
  const path = join(createTemporaryDirectory(), "me.1.jsonl");
  writeFileSync(path, bytes);
  const entries: JournalEntry[] = [];
  let damaged = 0;
  for await (const entry of readEntries(path, () => damaged++)) entries.push(entry);
  return { entries, damaged };
}

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme-ascii" }),
  fc.string({
    unit: fc.constantFrom("a", "Z", "0", ".", "/", ":", "-", ",", "]", '"', "\\", "\n", " ", "\u2028", "é"),
    maxLength: 4,
  }),
  fc.constantFrom("\u2028", "\u2029", "a\u2028b\u2029c\u0085d\r\ne\rf", "\u000B\f\u001C", "🌊\u{10FFFF}"),
);
const start = fc.record({
  id: text,
  request_id: text,
  key_id: text,
  key_name: text,
  endpoint: text,
  session: fc.option(text),
  group_id: fc.option(text),
  end_user: fc.option(text),
  reserved_nanodollars: fc.option(fc.maxSafeNat()),
  reserved_in: fc.option(text),
  requested_model: fc.option(text),
  forwarded_model: fc.option(text),
  stream: fc.constantFrom(0, 1),
  bytes_in: fc.maxSafeNat(),
  started_at: fc.maxSafeNat(),
});
const head = fc.record({ status: fc.nat(599), generationId: fc.option(text, { nil: undefined }) });
const entry = fc.oneof(
  start.map((startEntry): JournalEntry => [ENTRY.start, startEntry]),
  fc.tuple(start, head).map(([startEntry, one]): JournalEntry => [ENTRY.head, startEntry, one]),
);

test("formats any text as one line, and parses the line back to the same entry", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 20 }), async (written) => {
      const lines = written.map(formatEntry);
      expect(lines.map((line) => line.indexOf("\n") - line.length)).toEqual(lines.map(() => -1));
      expect(await read(lines.join(""))).toEqual({ entries: written, damaged: 0 });
    }),
    { numRuns: 200 },
  );
});

test("joins lines that are read in several chunks, even when a chunk ends within a character", async () => {
  const written = Array.from({ length: 4_000 }, (_, index): JournalEntry => [
    ENTRY.start,
    createStartEntry(`${index} ${"ключ🔑\u2028".repeat(index % 17)}`),
  ]);
  const { entries, damaged } = await read(written.map(formatEntry).join(""));
  expect([entries, damaged]).toEqual([written, 0]);
});

test("counts garbage from a power failure as damage, and reads the lines before it", async () => {
  const intact = formatEntry([ENTRY.start, createStartEntry("1")]);
  const { entries, damaged } = await read(
    Buffer.concat([Buffer.from(intact), Buffer.alloc(50_000), Buffer.from([0x0a, 0xff, 0xfe, 0x0a])]),
  );
  expect([entries.length, damaged]).toEqual([1, 2]);
});

test("detects any single flipped bit, both after an intact line and in a file without intact lines", async () => {
  const startEntry = createStartEntry("1", { request_id: "ключ 🔑", forwarded_model: "a,b]}" });
  for (const line of [
    formatEntry([ENTRY.start, startEntry]),
    formatEntry([ENTRY.head, startEntry, { status: 200, generationId: "gen-1" }]),
  ]) {
    const intact = Buffer.from(line);
    // Flips each bit of the line except those of the line feed at its end.
    const flipped = Array.from({ length: 8 * (intact.length - 1) }, (_, bit) => {
      const bytes = Buffer.from(intact);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return bytes;
    });
    const { entries, damaged } = await read(Buffer.concat([intact, ...flipped]));
    expect(entries).toHaveLength(1);
    expect(damaged).toBeGreaterThanOrEqual(flipped.length);
    expect((await read(Buffer.concat(flipped))).entries).toEqual([]);
  }
});

test("counts a line truncated at any byte as damage, unless only its line feed is missing", async () => {
  const intact = Buffer.from(formatEntry([ENTRY.start, createStartEntry("1", { forwarded_model: "a,1]" })]));
  for (let length = 1; length < intact.length - 1; length++)
    expect(await read(intact.subarray(0, length))).toEqual({ entries: [], damaged: 1 });
  expect((await read(intact.subarray(0, -1))).entries).toEqual([[ENTRY.start, expect.anything()]]);
});

test("counts a line without a checksum as damage", async () => {
  const line = `${JSON.stringify([ENTRY.start, createStartEntry("1")])}\n`;
  expect(await read(line)).toEqual({ entries: [], damaged: 1 });
});

test("finds no entries in an empty journal", async () => {
  expect(await read("")).toEqual({ entries: [], damaged: 0 });
});
