import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readFirstMembers, readLastMember } from "../../src/response/top-level-members.ts";

const first = (text: string, ...names: string[]) =>
  Object.fromEntries(readFirstMembers(Buffer.from(text), names));
const last = (text: string, name = "usage") => readLastMember(Buffer.from(text), name);

/** JSON values in which names, quotes and brackets are at every depth. */
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

test("both ends of a whole document give what JSON.parse gives", () => {
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

test("the end of a document gives the value of its top level or nothing, wherever the bytes begin", () => {
  fc.assert(
    fc.property(DOCUMENT, fc.nat(400), (document, from) => {
      const text = Buffer.from(JSON.stringify(document));
      const found = readLastMember(text.subarray(from), "usage");
      expect([document["usage"], undefined]).toContainEqual(found);
    }),
    { numRuns: 2_000 },
  );
});

test("the beginning of a document gives whole values of its top level, wherever the bytes end", () => {
  fc.assert(
    fc.property(DOCUMENT, fc.nat(400), (document, end) => {
      const text = Buffer.from(JSON.stringify(document));
      const found = readFirstMembers(text.subarray(0, end), ["usage", "id"]);
      for (const [name, value] of found) expect([document[name], undefined]).toContainEqual(value);
    }),
    { numRuns: 2_000 },
  );
});

test("a member whose name is written with escapes is found", () => {
  expect(last('{"us\\u0061ge":1}')).toBe(1);
  expect(first('{"us\\u0061ge":1}', "usage")).toEqual({ usage: 1 });
});

test("of repeated names the first is read from the beginning and the last from the end", () => {
  const text = '{"usage":1,"a":{"usage":2},"usage":3}';
  expect([first(text, "usage"), last(text)]).toEqual([{ usage: 1 }, 3]);
});

test("readFirstMembers says that a member is there though its value is cut", () => {
  expect(first('{"error":{"code":5', "error")).toEqual({ error: undefined });
  expect(first('{"error":nul', "error")).toEqual({});
  expect(first('{"erro', "error")).toEqual({});
});

test.each([
  ["nothing", ""],
  ["white space", " \n "],
  ["an array", '[{"usage":1}]'],
  ["a text", '"usage"'],
  ["no JSON", "<html>{usage: 7}</html>"],
  ["a beginning", '{"a":[{"usage":'],
  ["a name without a value", '{"usage":}'],
  ["a name without a colon", '{"usage"}'],
])("%s has no members", (_, text) => {
  expect(last(text)).toBeUndefined();
  expect(first(text, "usage")["usage"]).toBeUndefined();
});
