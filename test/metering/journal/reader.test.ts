import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readEntries } from "../../../src/metering/journal/reader.ts";
import {
  type JournalEntry,
  formatHeadEntry,
  formatEntry,
  formatStartEntry,
} from "../../../src/metering/journal/format.ts";
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

test("whatever text a request has, its line is one line", async () => {
  const strange = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("\u2028", "\u2029", "a\u2028b\u2029c\u0085d\r\ne\rf", "\u000B\f\u001C", "🌊\u{10FFFF}"),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(strange, { minLength: 1, maxLength: 20 }), async (texts) => {
      const written = texts.map((text) => ["head", text, { status: 200, generationId: text }] as const);
      const lines = written.map((entry) => `${JSON.stringify(entry)}\n`).join("");
      expect(await read(lines)).toEqual({ entries: written, damaged: 0 });
    }),
    { numRuns: 200 },
  );
});

test("lines that are read in several pieces are put together, characters of several bytes too", async () => {
  const written = Array.from({ length: 4_000 }, (_, index) => [
    "head",
    `${index} ${"ключ🔑\u2028".repeat(index % 17)}`,
    { status: 200 },
  ]);
  const { entries, damaged } = await read(written.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  expect([entries, damaged]).toEqual([written, 0]);
});

test("what a machine that lost its power leaves is damage, and what stands before it is read", async () => {
  const head = '["head","1",{"status":200}]\n';
  const { entries, damaged } = await read(
    Buffer.concat([Buffer.from(head), Buffer.alloc(50_000), Buffer.from([0x0a, 0xff, 0xfe, 0x0a])]),
  );
  expect([entries.length, damaged]).toEqual([1, 2]);
});

test("a line with any one bit flipped is damage, behind a line with a checksum and in a file without one", async () => {
  const startEntry = createStartEntry("1", { request_id: "ключ 🔑", forwarded_model: "a,b]}" });
  for (const line of [
    formatStartEntry(startEntry),
    formatHeadEntry(startEntry, { status: 200, generationId: "gen-1" }),
  ]) {
    const intact = Buffer.from(line);
    const flipped = Array.from({ length: 8 * (intact.length - 1) }, (_, bit) => {
      // Its line feed is left as it is.
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

test("a line that was cut off at any byte is damage, unless only its line feed is missing", async () => {
  const intact = Buffer.from(formatStartEntry(createStartEntry("1", { forwarded_model: "a,1]" })));
  for (let length = 1; length < intact.length - 1; length++)
    expect(await read(intact.subarray(0, length))).toEqual({ entries: [], damaged: 1 });
  expect((await read(intact.subarray(0, -1))).entries).toEqual([["open", expect.anything()]]);
});

test("lines without checksums are read in a file that has none, and are damage behind a line that has one", async () => {
  const old = '["head","1",{"status":200}]\n';
  const intact = formatEntry(["head", "2", { status: 200, generationId: undefined }]);
  const entry = ["head", "1", { status: 200 }];
  expect(await read(old + old)).toEqual({ entries: [entry, entry], damaged: 0 });
  expect(await read(intact + old)).toMatchObject({ entries: [["head", "2", { status: 200 }]], damaged: 1 });
});

test("an empty journal has nothing in it", async () => {
  expect(await read("")).toEqual({ entries: [], damaged: 0 });
});
