import { expect, test } from "vitest";
import {
  typeSwitchSchema,
  arraySchema,
  numberSchema,
  objectSchema,
  stringSchema,
  integerSchema,
} from "../../src/request/loose-schema.ts";

const typeIssue = (message: string, path: PropertyKey[] = []) => ({ path, message, isWrongType: true });
const valueIssue = (message: string, path: PropertyKey[] = []) => ({ path, message, isWrongType: false });

test("arraySchema checks the minimum and maximum number of items", () => {
  const pair = arraySchema(stringSchema, { min: 2, max: 3 });
  expect(pair.findIssue(["a"])).toEqual(valueIssue("must have at least 2 items"));
  expect(pair.findIssue(["a", "b"])).toBeUndefined();
  expect(pair.findIssue(["a", "b", "c"])).toBeUndefined();
  expect(pair.findIssue(["a", "b", "c", "d"])).toEqual(valueIssue("must have at most 3 items"));
  expect(arraySchema(stringSchema).findIssue([])).toBeUndefined();
});

test("findIssue returns the whole path of an issue inside arrays of objects", () => {
  const rows = arraySchema(objectSchema({ cells: arraySchema(numberSchema(0, 1)) }));
  expect(rows.findIssue([{ cells: [] }, { cells: [1, 2] }])).toEqual(
    valueIssue("must be from 0 to 1", [1, "cells", 1]),
  );
  expect(rows.findIssue([{ cells: ["1"] }])).toEqual(typeIssue("must be a number", [0, "cells", 0]));
  expect(rows.findIssue([{ cells: {} }])).toEqual(typeIssue("must be an array", [0, "cells"]));
});

test("typeSwitchSchema rejects null and arrays as objects, although their typeof is object", () => {
  const either = typeSwitchSchema(
    { string: true, object: objectSchema({ url: stringSchema }) },
    "a string or an object",
  );
  expect(either.findIssue(null)).toEqual(typeIssue("must be a string or an object"));
  expect(either.findIssue(["a"])).toEqual(typeIssue("must be a string or an object"));
  expect(either.findIssue("a")).toBeUndefined();
  expect(either.findIssue({ url: 1 })).toEqual(typeIssue("must be a string", ["url"]));
  const list = typeSwitchSchema({ array: arraySchema(stringSchema) }, "an array of strings");
  expect(list.findIssue(["a", 1])).toEqual(typeIssue("must be a string", [1]));
  expect(list.findIssue({})).toEqual(typeIssue("must be an array of strings"));
});

test("integerSchema accepts a number that is too large for a double, and rejects fractions and strings", () => {
  expect(integerSchema(-Infinity).findIssue(-Infinity)).toBeUndefined();
  expect(integerSchema(0).findIssue(Infinity)).toBeUndefined();
  expect(integerSchema(0, 5).findIssue(5)).toBeUndefined();
  expect(integerSchema(0, 5).findIssue(Infinity)).toEqual(valueIssue("must be from 0 to 5"));
  expect(integerSchema(3).findIssue(2)).toEqual(valueIssue("must be at least 3"));
  for (const value of [0.5, "1", null, true]) {
    expect(integerSchema(0).findIssue(value)).toEqual(typeIssue("must be a whole number"));
  }
});

test("objectSchema rejects an object whose required field is absent or inherited", () => {
  const schema = objectSchema({ name: stringSchema, note: stringSchema.nullish() });
  const missing = { path: ["name"], isWrongType: true };
  expect(schema.findIssue({})).toMatchObject(missing);
  expect(schema.findIssue({ note: "n" })).toMatchObject(missing);
  expect(schema.findIssue(Object.create({ name: "n" }))).toMatchObject(missing);
  expect(schema.findIssue({ name: "n", other: 1 })).toBeUndefined();
  expect(schema.findIssue({ name: "n", note: 1 })).toEqual(typeIssue("must be a string", ["note"]));
});

test.each([null, [], "a", 1, true, undefined])("objectSchema rejects %j", (value) => {
  expect(objectSchema().findIssue(value)).toEqual(typeIssue("must be an object"));
  expect(objectSchema({ name: stringSchema.nullish() }).findIssue(value)).toEqual(
    typeIssue("must be an object"),
  );
});
