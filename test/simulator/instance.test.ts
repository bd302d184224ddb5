import { expect, test } from "vitest";
import { makeInstance } from "../../tools/simulator/instance.ts";

test.each([
  [{ type: "integer", minimum: 3 }, 3],
  [{ type: "integer", maximum: -2 }, -2],
  [{ type: "number", exclusiveMinimum: 1, multipleOf: 0.5 }, 1.5],
  [{ enum: ["b", "a"] }, "b"],
  [{ const: null }, null],
  [{ type: ["null", "string"] }, null],
  [{ type: "string", format: "date" }, "2026-01-31"],
  [{ type: "string", maxLength: 2 }, "Zü"],
  [{ type: "array", items: { type: "boolean" }, minItems: 2 }, [true, true]],
  [{ anyOf: [{ type: "boolean" }, { type: "null" }] }, true],
  [
    {
      type: "object",
      properties: { a: { $ref: "#/$defs/n" }, b: {} },
      required: ["a"],
      $defs: { n: { type: "integer" } },
    },
    { a: 1 },
  ],
  [
    {
      allOf: [
        { properties: { a: { const: 1 } }, required: ["a"] },
        { properties: { b: { const: 2 } }, required: ["b"] },
      ],
    },
    { a: 1, b: 2 },
  ],
])("the schema %j has the instance %j", (schema, value) => {
  expect(makeInstance(schema)).toEqual(value);
});

test("makes a string of at least minLength code points", () => {
  const text = makeInstance({ type: "string", minLength: 30 }) as string;
  expect(Array.from(text).length).toBeGreaterThanOrEqual(30);
});

test("terminates for a recursive schema", () => {
  const schema = {
    type: "object",
    properties: { next: { anyOf: [{ $ref: "#" }, { type: "null" }] } },
    required: ["next"],
  };
  expect(JSON.stringify(makeInstance(schema))).toContain("null");
  expect(() => makeInstance({ $ref: "#" })).not.toThrow();
});
