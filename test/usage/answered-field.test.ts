import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readAnsweredField } from "../../src/usage/answered-field.ts";

const first = (text: string) => readAnsweredField(Buffer.from(text), "model", "first");
const last = (text: string) => readAnsweredField(Buffer.from(text), "model", "last");

test("a JSON answer's model is its first, a stream's its last", () => {
  const events = ["a/one", "a/two"]
    .map((model) => `data: ${JSON.stringify({ id: "1", model })}\n\n`)
    .join("");
  expect([first(events), last(events)]).toEqual(["a/one", "a/two"]);
  expect(first('{"id":"1","model": "a/b"}')).toBe("a/b");
});

test("the provider is read as the model is, and neither is taken for the other", () => {
  const text = '{"id":"1","provider":"Some Cloud","model":"a/b"}';
  for (const which of ["first", "last"] as const) {
    expect(readAnsweredField(Buffer.from(text), "provider", which)).toBe("Some Cloud");
    expect(readAnsweredField(Buffer.from(text), "model", which)).toBe("a/b");
    expect(readAnsweredField(Buffer.from('{"model":"a/b"}'), "provider", which)).toBeUndefined();
  }
});

test.each([
  ["no model", '{"id":"1"}'],
  ["nothing", ""],
  ["a model of null", '{"model":null}'],
  ["a model that is a number", '{"model":7}'],
  ["a model that is an object", '{"model":{"id":"a"}}'],
  ["a model that is not whole", '{"model":"a/b'],
  ["a key without a value", '{"model":'],
  ["an escape without an end", '{"model":"a\\'],
  ["an escape that JSON does not know", '{"model":"a\\x"}'],
  ["a control character in it", '{"model":"a\nb"}'],
  ["a model that is too long", `{"model":"${"x".repeat(300)}"}`],
])("of an answer with %s none is read", (_, text) => {
  expect([first(text), last(text)]).toEqual([undefined, undefined]);
});

test("a model is read with whatever characters it has", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (model) => {
      const text = JSON.stringify({ id: "1", model, choices: [] });
      expect([first(text), last(text)]).toEqual([model, model]);
    }),
  );
});

test("what a model writes is not taken for its name", () => {
  const evil = fc
    .array(fc.constantFrom('"', "\\", '"model":', '"model":"evil"', "{", "}", ",", ":", "\n", "🌊", "a"), {
      maxLength: 30,
    })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(evil, evil, (content, key) => {
      const event = JSON.stringify({ id: "1", model: "a/b", choices: [{ [`_${key}`]: content }] });
      expect([first(event), last(`data: ${event}\n\n`)]).toEqual(["a/b", "a/b"]);
      expect([first(JSON.stringify({ content })), last(JSON.stringify({ content }))]).toEqual([
        undefined,
        undefined,
      ]);
    }),
    { numRuns: 1_000 },
  );
});

test("no bytes make it fail", () => {
  const bytes = fc.array(
    fc.oneof(
      fc.constant(Buffer.from('"model":"')),
      fc.uint8Array({ maxLength: 20 }).map((some) => Buffer.from(some)),
    ),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(bytes, (parts) => {
      for (const which of ["first", "last"] as const) {
        const model = readAnsweredField(Buffer.concat(parts), "model", which);
        expect(["string", "undefined"]).toContain(typeof model);
      }
    }),
  );
});
