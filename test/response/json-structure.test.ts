import * as fc from "fast-check";
import { expect, test } from "vitest";
import { JsonStructure } from "../../src/response/json-structure.ts";
import { cutIntoPieces } from "../support/inspect-response.ts";

/** Strings with many quotes, backslashes and brackets. */
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom("\\", '"', "}", "{", "]", "[", "é", "\n", "a"), maxLength: 12 }),
  fc.constantFrom("", "\\", '"', "}".repeat(300), '\\"'.repeat(100), "x".repeat(3_000)),
);
const { document } = fc.letrec((tie) => ({
  leaf: fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)),
  inner: fc.oneof({ maxDepth: 5, withCrossShrink: true }, tie("leaf"), tie("document")),
  document: fc.oneof(
    fc.array(tie("inner"), { maxLength: 4 }),
    fc.dictionary(text, tie("inner"), { maxKeys: 4 }),
  ),
}));
const json = fc
  .tuple(fc.oneof(document, text), fc.constantFrom(undefined, 1, "\t"))
  .map(([value, space]) => Buffer.from(JSON.stringify(value, null, space)));
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 });

function isComplete(pieces: readonly (Buffer | string)[]): boolean {
  const structure = new JsonStructure();
  for (const piece of pieces) structure.push(Buffer.from(piece as string));
  return structure.isComplete;
}

test("a document is complete only at its end, for any split into chunks", () => {
  fc.assert(
    fc.property(json, sizes, fc.nat(), (bytes, pieces, cut) => {
      expect(isComplete(cutIntoPieces(bytes, pieces))).toBe(true);
      expect(isComplete(cutIntoPieces(bytes.subarray(0, cut % bytes.length), pieces))).toBe(false);
      const structure = new JsonStructure();
      const completeAfter: number[] = [];
      for (let at = 0; at < bytes.length; at++) {
        structure.push(bytes.subarray(at, at + 1));
        if (structure.isComplete) completeAfter.push(at + 1);
      }
      expect(completeAfter).toEqual([bytes.length]);
    }),
    { numRuns: 1_000 },
  );
});

test("a document is complete with white space around it, and not with other text after it", () => {
  fc.assert(
    fc.property(json, fc.constantFrom("x", "{", "{}", "]", '"', "0", ",", "\0x"), (bytes, more) => {
      expect(isComplete([" \r\n\t", bytes, " \r\n\t".repeat(20)])).toBe(true);
      expect(isComplete([bytes, more])).toBe(false);
      expect(isComplete([bytes, " \n", more])).toBe(false);
    }),
  );
});

test.each(["", " ", "]", "}{", "{}}", "1", "tru", "1 2", "null {}"])("%j is not complete", (bytes) => {
  expect(isComplete([bytes])).toBe(false);
  expect(isComplete(bytes.split(""))).toBe(false);
});

test("accepts a document that is nested a million levels deep", () => {
  const half = "[".repeat(1_000_000);
  expect(isComplete([half, "]".repeat(999_999)])).toBe(false);
  expect(isComplete([half, "]".repeat(1_000_000)])).toBe(true);
});
