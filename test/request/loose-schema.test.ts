import { expect, test } from "vitest";
import {
  typeSwitchSchema,
  findIssue,
  arraySchema,
  numberSchema,
  objectSchema,
  stringSchema,
  integerSchema,
} from "../../src/request/loose-schema.ts";

const wrong = (message: string, path: PropertyKey[] = []) => ({ path, message, isWrongType: true });
const bad = (message: string, path: PropertyKey[] = []) => ({ path, message, isWrongType: false });

test("an array has no fewer and no more items than it may have", () => {
  const pair = arraySchema(stringSchema, { min: 2, max: 3 });
  expect(findIssue(pair, ["a"])).toEqual(bad("must have at least 2 items"));
  expect(findIssue(pair, ["a", "b"])).toBeUndefined();
  expect(findIssue(pair, ["a", "b", "c"])).toBeUndefined();
  expect(findIssue(pair, ["a", "b", "c", "d"])).toEqual(bad("must have at most 3 items"));
  expect(findIssue(arraySchema(stringSchema), [])).toBeUndefined();
});

test("an issue deep in arrays of objects is reported with its whole path", () => {
  const rows = arraySchema(objectSchema({ cells: arraySchema(numberSchema(0, 1)) }));
  expect(findIssue(rows, [{ cells: [] }, { cells: [1, 2] }])).toEqual(
    bad("must be from 0 to 1", [1, "cells", 1]),
  );
  expect(findIssue(rows, [{ cells: ["1"] }])).toEqual(wrong("must be a number", [0, "cells", 0]));
  expect(findIssue(rows, [{ cells: {} }])).toEqual(wrong("must be an array", [0, "cells"]));
});

test("null is none of the alternatives unless it is named, whatever JavaScript calls its type", () => {
  const either = typeSwitchSchema(
    { string: true, object: objectSchema({ url: stringSchema }) },
    "a string or an object",
  );
  expect(findIssue(either, null)).toEqual(wrong("must be a string or an object"));
  expect(findIssue(either, ["a"])).toEqual(wrong("must be a string or an object"));
  expect(findIssue(either, "a")).toBeUndefined();
  expect(findIssue(either, { url: 1 })).toEqual(wrong("must be a string", ["url"]));
  const list = typeSwitchSchema({ array: arraySchema(stringSchema) }, "an array of strings");
  expect(findIssue(list, ["a", 1])).toEqual(wrong("must be a string", [1]));
  expect(findIssue(list, {})).toEqual(wrong("must be an array of strings"));
});

test("a whole number may be too large for a double, and may not be a fraction or a string", () => {
  expect(findIssue(integerSchema(-Infinity), -Infinity)).toBeUndefined();
  expect(findIssue(integerSchema(0), Infinity)).toBeUndefined();
  expect(findIssue(integerSchema(0, 5), 5)).toBeUndefined();
  expect(findIssue(integerSchema(0, 5), Infinity)).toEqual(bad("must be from 0 to 5"));
  expect(findIssue(integerSchema(3), 2)).toEqual(bad("must be at least 3"));
  for (const value of [0.5, "1", null, true]) {
    expect(findIssue(integerSchema(0), value)).toEqual(wrong("must be a whole number"));
  }
});

test("a field that must be there is missed wherever it is absent, and not where it is inherited", () => {
  const schema = objectSchema({ name: stringSchema, note: stringSchema.nullish() });
  const missed = { path: ["name"], isWrongType: true };
  expect(findIssue(schema, {})).toMatchObject(missed);
  expect(findIssue(schema, { note: "n" })).toMatchObject(missed);
  expect(findIssue(schema, Object.create({ name: "n" }))).toMatchObject(missed);
  expect(findIssue(schema, { name: "n", other: 1 })).toBeUndefined();
  expect(findIssue(schema, { name: "n", note: 1 })).toEqual(wrong("must be a string", ["note"]));
});

test.each([null, [], "a", 1, true, undefined])("%j is no object", (value) => {
  expect(findIssue(objectSchema(), value)).toEqual(wrong("must be an object"));
  expect(findIssue(objectSchema({ name: stringSchema.nullish() }), value)).toEqual(
    wrong("must be an object"),
  );
});
