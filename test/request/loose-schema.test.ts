import { expect, test } from "vitest";
import { byType, firstFault, items, number, object, text, whole } from "../../src/request/loose-schema.ts";

const wrong = (message: string, path: PropertyKey[] = []) => ({ path, message, wrongType: true });
const bad = (message: string, path: PropertyKey[] = []) => ({ path, message, wrongType: false });

test("an array has no fewer and no more items than it may have", () => {
  const pair = items(text, { min: 2, max: 3 });
  expect(firstFault(pair, ["a"])).toEqual(bad("must have at least 2 items"));
  expect(firstFault(pair, ["a", "b"])).toBeUndefined();
  expect(firstFault(pair, ["a", "b", "c"])).toBeUndefined();
  expect(firstFault(pair, ["a", "b", "c", "d"])).toEqual(bad("must have at most 3 items"));
  expect(firstFault(items(text), [])).toBeUndefined();
});

test("a fault deep in arrays of objects is told with the whole way down to it", () => {
  const rows = items(object({ cells: items(number(0, 1)) }));
  expect(firstFault(rows, [{ cells: [] }, { cells: [1, 2] }])).toEqual(
    bad("must be from 0 to 1", [1, "cells", 1]),
  );
  expect(firstFault(rows, [{ cells: ["1"] }])).toEqual(wrong("must be a number", [0, "cells", 0]));
  expect(firstFault(rows, [{ cells: {} }])).toEqual(wrong("must be an array", [0, "cells"]));
});

test("null is none of the alternatives unless it is named, whatever JavaScript calls its type", () => {
  const either = byType({ string: true, object: object({ url: text }) }, "a string or an object");
  expect(firstFault(either, null)).toEqual(wrong("must be a string or an object"));
  expect(firstFault(either, ["a"])).toEqual(wrong("must be a string or an object"));
  expect(firstFault(either, "a")).toBeUndefined();
  expect(firstFault(either, { url: 1 })).toEqual(wrong("must be a string", ["url"]));
  const list = byType({ array: items(text) }, "an array of strings");
  expect(firstFault(list, ["a", 1])).toEqual(wrong("must be a string", [1]));
  expect(firstFault(list, {})).toEqual(wrong("must be an array of strings"));
});

test("a whole number may be too large for a double, and may not be a fraction or a string", () => {
  expect(firstFault(whole(-Infinity), -Infinity)).toBeUndefined();
  expect(firstFault(whole(0), Infinity)).toBeUndefined();
  expect(firstFault(whole(0, 5), 5)).toBeUndefined();
  expect(firstFault(whole(0, 5), Infinity)).toEqual(bad("must be from 0 to 5"));
  expect(firstFault(whole(3), 2)).toEqual(bad("must be at least 3"));
  for (const value of [0.5, "1", null, true]) {
    expect(firstFault(whole(0), value)).toEqual(wrong("must be a whole number"));
  }
});

test("a field that must be there is missed wherever it is absent, and not where it is inherited", () => {
  const schema = object({ name: text, note: text.nullish() });
  const missed = { path: ["name"], wrongType: true };
  expect(firstFault(schema, {})).toMatchObject(missed);
  expect(firstFault(schema, { note: "n" })).toMatchObject(missed);
  expect(firstFault(schema, Object.create({ name: "n" }))).toMatchObject(missed);
  expect(firstFault(schema, { name: "n", other: 1 })).toBeUndefined();
  expect(firstFault(schema, { name: "n", note: 1 })).toEqual(wrong("must be a string", ["note"]));
});

test.each([null, [], "a", 1, true, undefined])("%j is no object", (value) => {
  expect(firstFault(object(), value)).toEqual(wrong("must be an object"));
  expect(firstFault(object({ name: text.nullish() }), value)).toEqual(wrong("must be an object"));
});
