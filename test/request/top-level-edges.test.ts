import { expect, test } from "vitest";
import { findTopLevelFields } from "../../src/request/top-level-fields.ts";

const MAX_DEPTH = 8;

/** The texts of the strings that are found in `json`. */
function found(json: string) {
  const bytes = Buffer.from(json);
  const { isTooDeep, keys, model, models } = findTopLevelFields(bytes, MAX_DEPTH);
  const textOf = ({ start, end }: { start: number; end: number }) => bytes.toString("utf8", start, end);
  return { isTooDeep, keys: keys.map(textOf), model: model && textOf(model), models: models.map(textOf) };
}

test("only strings directly in the list of models are models, and only the string of the field model is the model", () => {
  expect(found('{"models":["a",["b"],{"c":"d"}],"x":["e"],"model":["f"],"y":"g"}')).toEqual({
    isTooDeep: false,
    keys: ['"models"', '"x"', '"model"', '"y"'],
    model: undefined,
    models: ['"a"'],
  });
});

test("keys that only begin like model, or end like it, are other keys", () => {
  const { model, models } = found(
    '{"mode":"a","modelx":"b","xmodel":"c","":"d","modelss":["e"],"nmodels":["f"]}',
  );
  expect({ model, models }).toEqual({ model: undefined, models: [] });
});

test("a key is known by what its escapes mean, and a key with an impossible escape is none", () => {
  expect(found(String.raw`{"\u006d\u006f\u0064\u0065\u006c":"a","\u006dodels":["b"]}`)).toMatchObject({
    model: '"a"',
    models: ['"b"'],
  });
  expect(found(String.raw`{"model\u00zz":"a","models\x":["b"]}`)).toMatchObject({
    model: undefined,
    models: [],
  });
});

test("text that is deeper than allowed is left at once, and what was found until there is given", () => {
  expect(found(`{"model":"a","x":${"[".repeat(MAX_DEPTH - 1)}`)).toMatchObject({
    isTooDeep: false,
    model: '"a"',
  });
  expect(found(`{"model":"a","x":${"[".repeat(MAX_DEPTH)}"b"],"y":1`)).toEqual({
    isTooDeep: true,
    keys: ['"model"', '"x"'],
    model: '"a"',
    models: [],
  });
});

test.each([1, 62, 63, 64, 65, 200])(
  "a string of %i characters that never closes ends with the text",
  (length) => {
    const json = `{"model":"${"a".repeat(length)}`;
    expect(found(json).model).toBe(`"${"a".repeat(length)}`);
    expect(found(`${json}\\"`).model).toBe(`"${"a".repeat(length)}\\"`);
  },
);
