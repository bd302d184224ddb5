import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { entriesOf } from "../../src/ledger/journal-reader.ts";
import type { Entry } from "../../src/ledger/entry.ts";
import { temporaryDirectory } from "../support/store.ts";

async function read(bytes: string | Buffer): Promise<{ entries: Entry[]; damaged: number }> {
  const path = join(temporaryDirectory(), "me.1.jsonl");
  writeFileSync(path, bytes);
  const entries: Entry[] = [];
  let damaged = 0;
  for await (const entry of entriesOf(path, () => damaged++)) entries.push(entry);
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

test("an empty journal has nothing in it", async () => {
  expect(await read("")).toEqual({ entries: [], damaged: 0 });
});
