import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readFirstMembers, readLastMember } from "../../src/response/top-level-members.ts";

const first = (text: string, ...names: string[]) =>
  Object.fromEntries(readFirstMembers(Buffer.from(text), names));
const last = (text: string, name = "usage") => readLastMember(Buffer.from(text), name);

/** JSON values with names, quotes and brackets at every depth. */
const HOSTILE = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom<unknown>(null, 7, -0.5, true, "", '"', "\\", '\\"', "}", '"usage":{"cost":0}', "usage"),
    fc.string({ unit: fc.constantFrom('"', "\\", "{", "}", "[", ",", ":", "u", "🌊") }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom("usage", "id", '"usage"', "\\", "cost", "}", "ünï"), tie("value"), {
      maxKeys: 4,
    }),
  ),
}));
const DOCUMENT = fc.dictionary(fc.constantFrom("usage", "id", "a", "b\\", '"'), HOSTILE.value, {
  maxKeys: 5,
});
const SPACING = fc.constantFrom(undefined, 1, "\t", " \n ");

test("readFirstMembers and readLastMember return the values of JSON.parse for a whole document", () => {
  fc.assert(
    fc.property(DOCUMENT, SPACING, fc.constantFrom("", " ", "\n \n"), (document, spacing, around) => {
      const text = around + JSON.stringify(document, null, spacing) + around;
      expect(last(text)).toEqual(document["usage"]);
      expect(first(text, "usage", "id")).toEqual(
        Object.fromEntries(Object.entries(document).filter(([name]) => name === "usage" || name === "id")),
      );
    }),
    { numRuns: 2_000 },
  );
});

test("readLastMember returns the top-level value or undefined for a document without its first bytes", () => {
  fc.assert(
    fc.property(DOCUMENT, fc.nat(400), (document, from) => {
      const text = Buffer.from(JSON.stringify(document));
      const found = readLastMember(text.subarray(from), "usage");
      expect([document["usage"], undefined]).toContainEqual(found);
    }),
    { numRuns: 2_000 },
  );
});

test("readFirstMembers returns whole top-level values or undefined for a document without its last bytes", () => {
  fc.assert(
    fc.property(DOCUMENT, fc.nat(400), (document, end) => {
      const text = Buffer.from(JSON.stringify(document));
      const found = readFirstMembers(text.subarray(0, end), ["usage", "id"]);
      for (const [name, value] of found) expect([document[name], undefined]).toContainEqual(value);
    }),
    { numRuns: 2_000 },
  );
});

test("finds a member whose name has escapes", () => {
  expect(last('{"us\\u0061ge":1}')).toBe(1);
  expect(first('{"us\\u0061ge":1}', "usage")).toEqual({ usage: 1 });
});

test("readFirstMembers returns the first of repeated names, and readLastMember the last", () => {
  const text = '{"usage":1,"a":{"usage":2},"usage":3}';
  expect([first(text, "usage"), last(text)]).toEqual([{ usage: 1 }, 3]);
});

test("readFirstMembers returns undefined for a member whose value is truncated", () => {
  expect(first('{"error":{"code":5', "error")).toEqual({ error: undefined });
  expect(first('{"error":nul', "error")).toEqual({});
  expect(first('{"erro', "error")).toEqual({});
});

test.each([
  ["nothing", ""],
  ["white space", " \n "],
  ["an array", '[{"usage":1}]'],
  ["a string", '"usage"'],
  ["text that is not JSON", "<html>{usage: 7}</html>"],
  ["a truncated document", '{"a":[{"usage":'],
  ["a name without a value", '{"usage":}'],
  ["a name without a colon", '{"usage"}'],
])("finds no members in %s", (_, text) => {
  expect(last(text)).toBeUndefined();
  expect(first(text, "usage")["usage"]).toBeUndefined();
});
