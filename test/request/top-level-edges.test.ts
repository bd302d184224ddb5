import { expect, test } from "vitest";
import { findTopLevelFields } from "../../src/request/top-level-fields.ts";

const MAX_DEPTH = 8;

/** Returns the texts of the strings that findTopLevelFields finds in `json`. */
function find(json: string) {
  const bytes = Buffer.from(json);
  const { isTooDeep, keys, model, models } = findTopLevelFields(bytes, MAX_DEPTH);
  const textOf = ({ start, end }: { start: number; end: number }) => bytes.toString("utf8", start, end);
  return { isTooDeep, keys: keys.map(textOf), model: model && textOf(model), models: models.map(textOf) };
}

test("finds only the direct items of `models` that are strings, and finds `model` only if it is a string", () => {
  expect(find('{"models":["a",["b"],{"c":"d"}],"x":["e"],"model":["f"],"y":"g"}')).toEqual({
    isTooDeep: false,
    keys: ['"models"', '"x"', '"model"', '"y"'],
    model: undefined,
    models: ['"a"'],
  });
});

test("ignores keys that contain model or models only as a part", () => {
  const { model, models } = find(
    '{"mode":"a","modelx":"b","xmodel":"c","":"d","modelss":["e"],"nmodels":["f"]}',
  );
  expect({ model, models }).toEqual({ model: undefined, models: [] });
});

test("recognizes a key with escapes, and ignores a key with an invalid escape", () => {
  expect(find(String.raw`{"\u006d\u006f\u0064\u0065\u006c":"a","\u006dodels":["b"]}`)).toMatchObject({
    model: '"a"',
    models: ['"b"'],
  });
  expect(find(String.raw`{"model\u00zz":"a","models\x":["b"]}`)).toMatchObject({
    model: undefined,
    models: [],
  });
});

test("stops at the maximum depth, and returns the fields found before it", () => {
  expect(find(`{"model":"a","x":${"[".repeat(MAX_DEPTH - 1)}`)).toMatchObject({
    isTooDeep: false,
    model: '"a"',
  });
  expect(find(`{"model":"a","x":${"[".repeat(MAX_DEPTH)}"b"],"y":1`)).toEqual({
    isTooDeep: true,
    keys: ['"model"', '"x"'],
    model: '"a"',
    models: [],
  });
});

test.each([1, 62, 63, 64, 65, 200])(
  "ends an unclosed string of %i characters at the end of the text",
  (length) => {
    const json = `{"model":"${"a".repeat(length)}`;
    expect(find(json).model).toBe(`"${"a".repeat(length)}`);
    expect(find(`${json}\\"`).model).toBe(`"${"a".repeat(length)}\\"`);
  },
);
