import { expect, test } from "vitest";
import { isJsonObject, readFields, readItems } from "../src/json-values.ts";

test.each([null, undefined, [], [{}], "a", 1, true])("%j is no JSON object and has no fields", (value) => {
  expect(isJsonObject(value)).toBe(false);
  expect(Object.keys(readFields(value))).toEqual([]);
});

test.each([null, undefined, {}, { length: 1 }, "a", 1])("%j has no items", (value) => {
  expect(readItems(value)).toEqual([]);
});

test("objects and arrays are returned unchanged", () => {
  const object = { a: 1 };
  const array = [1];
  expect(isJsonObject(object)).toBe(true);
  expect(readFields(object)).toBe(object);
  expect(readItems(array)).toBe(array);
});
