import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodeJsonString, findTopLevelFields, type Span } from "../../src/request/top-level-fields.ts";
import {
  keyText,
  longStringToken,
  formatObject,
  spellString,
  stringToken,
  valueText,
  whitespace,
} from "../support/json-text.ts";

/** Reference implementation of findTopLevelFields: splits the text into tokens, which is slow and simple. */
function naiveFields(text: string): { keys: Span[]; model: Span | undefined; models: Span[]; depth: number } {
  const latin1 = Buffer.from(text).toString("latin1");
  const tokens = Array.from(latin1.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gs), (match) => ({
    text: match[0],
    span: { start: match.index, end: match.index + match[0].length },
  }));
  const keys: Span[] = [];
  const models: Span[] = [];
  const open: string[] = [];
  let model: Span | undefined;
  let field: string | undefined;
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    const isKey = open.at(-1) === "{" && tokens[index + 1]?.text === ":";
    if (token.text === "{" || token.text === "[") depth = Math.max(depth, open.push(token.text));
    else if (token.text === "}" || token.text === "]") open.pop();
    else if (!token.text.startsWith('"')) continue;
    else if (open.length === 1 && isKey) {
      keys.push(token.span);
      field = JSON.parse(token.text) as string;
    } else if (open.length === 1 && field === "model") model = token.span;
    else if (open.join("") === "{[" && field === "models") models.push(token.span);
  }
  return { keys, model, models, depth };
}

const member = fc.tuple(
  fc.oneof(
    keyText.chain(spellString).map((key) => `"${key}"`),
    longStringToken,
  ),
  fc.oneof(
    valueText,
    longStringToken,
    fc.array(stringToken, { maxLength: 3 }).map((items) => `[${items.join()}]`),
  ),
);
const text = fc
  .tuple(fc.array(member, { maxLength: 6 }), fc.array(whitespace, { minLength: 1, maxLength: 8 }))
  .map(([members, gaps]) => formatObject(members, gaps));

/** Returns whether the gateway rejects a body because of its keys or its `models`. It then uses no span of `models`. */
function willBeRejected(json: string, keys: readonly Span[]): boolean {
  const names = new Set(keys.map((key) => decodeJsonString(Buffer.from(json), key)));
  const { models } = JSON.parse(json) as Record<string, unknown>;
  const hasOnlyStrings = Array.isArray(models) && models.every((item) => typeof item === "string");
  return names.size < keys.length || (models !== undefined && !hasOnlyStrings);
}

test("finds the keys and model strings of a random JSON object at the same positions as a tokenizer", () => {
  fc.assert(
    fc.property(text, (json) => {
      const found = findTopLevelFields(Buffer.from(json), 512);
      const { depth, ...expected } = naiveFields(json);
      expect(depth).toBeLessThan(512);
      expect(found.keys).toEqual(expected.keys);
      expect(found.model).toEqual(expected.model);
      expect(found.models).toEqual(willBeRejected(json, found.keys) ? found.models : expected.models);
    }),
    { numRuns: 2_000 },
  );
});

test("reports isTooDeep exactly if a tokenizer counts more levels than maxDepth", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 6 }), (json, maxDepth) => {
      const { depth } = naiveFields(json);
      expect(findTopLevelFields(Buffer.from(json), maxDepth).isTooDeep).toBe(depth > maxDepth);
    }),
  );
});

// findTopLevelFields scans short and long strings in different ways, so the test covers lengths around the boundary.
test.each(Array.from({ length: 12 }, (_, backslashes) => backslashes))(
  "finds the end of a string that ends with %i backslashes, for any length",
  (backslashes) => {
    for (let length = 40; length <= 90; length++) {
      for (const filler of ["a", "é", "\\\\", '\\"']) {
        const start = filler.repeat(Math.ceil(length / Buffer.byteLength(filler)));
        const escapedQuote = backslashes % 2 === 1 ? '"' : "";
        const string = `"${start}${"\\".repeat(backslashes)}${escapedQuote}"`;
        const json = `{"x":${string},"model":${string},"y":"z"}`;
        const { model, keys } = findTopLevelFields(Buffer.from(json), 8);
        const at = Buffer.byteLength(`{"x":${string},"model":`);
        expect({ json, model }).toEqual({ json, model: { start: at, end: at + Buffer.byteLength(string) } });
        expect(keys).toHaveLength(3);
      }
    }
  },
);

test("does not throw for text that is not JSON, and returns spans inside of it", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc
          .array(fc.constantFrom('"', "\\", "{", "}", "[", "]", ",", "model", "\\u", "a".repeat(64)), {
            maxLength: 60,
          })
          .map((parts) => Buffer.from(parts.join(""))),
        fc.tuple(text, fc.nat(400)).map(([json, at]) => Buffer.from(json).subarray(0, at)),
      ),
      (bytes) => {
        const { keys, models } = findTopLevelFields(Buffer.from(bytes), 512);
        for (const { start, end } of [...keys, ...models]) {
          expect(start).toBeLessThan(end);
          expect(end).toBeLessThanOrEqual(bytes.length);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
