import { expect, test } from "vitest";
import { REQUEST_FIELDS } from "../../src/admin/api-request-bodies.ts";
import { RELAYED_ENDPOINTS } from "../../src/endpoints/relayed-endpoints.ts";

interface FieldSchema {
  readonly type: string | readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** Values by their JSON type. */
const VALUES: Readonly<Record<string, unknown>> = {
  string: "text",
  boolean: true,
  integer: 1,
  array: ["text"],
  object: { type: "text" },
  null: null,
};
const ALL_NAMES = Object.values(REQUEST_FIELDS).flatMap(({ fields }) => Object.keys(fields));

const ENDPOINTS = RELAYED_ENDPOINTS.map(({ path, request }) => {
  const { fields = {}, required = [] } = REQUEST_FIELDS[path] ?? {};
  return {
    path,
    fields: fields as unknown as Readonly<Record<string, FieldSchema>>,
    /** Returns the issue that the gateway finds in a field; undefined if its value is valid. */
    findIssue: (name: string, value: unknown) => {
      const others = required.filter((other) => other !== name).map((other) => [other, undefined]);
      // The schema checks the fields in the order of the request.
      const issue = request.schema.findIssue({ [name]: value, ...Object.fromEntries(others) });
      return issue?.path[0] === name ? issue : undefined;
    },
  };
});

test("the API description has the fields of every endpoint that calls a model", () => {
  expect(Object.keys(REQUEST_FIELDS)).toEqual(RELAYED_ENDPOINTS.map(({ path }) => path));
});

test.each(ENDPOINTS)(
  "the API description has every known field that the gateway validates in $path",
  ({ fields, findIssue }) => {
    // No field of a certain type can be a symbol.
    const validated = ALL_NAMES.filter((name) => findIssue(name, Symbol("invalid")) !== undefined);
    expect(validated.filter((name) => !Object.hasOwn(fields, name))).toEqual([]);
  },
);

test.each(ENDPOINTS)(
  "the types in the API description of $path are those that the gateway accepts",
  ({ fields, findIssue }) => {
    for (const [name, { type }] of Object.entries(fields)) {
      const types = [type].flat().map((one) => (one === "number" ? "integer" : one));
      const accepted = Object.entries(VALUES)
        .filter(([, value]) => {
          const issue = findIssue(name, value);
          return !(issue?.isWrongType && issue.path.length === 1);
        })
        .map(([one]) => one);
      expect([name, accepted.toSorted()]).toEqual([name, types.toSorted()]);
    }
  },
);

test.each(ENDPOINTS)(
  "the bounds in the API description of $path are those that the gateway checks",
  ({ fields, findIssue }) => {
    const wrong = Object.entries(fields).flatMap(([name, field]) => {
      const isValid = (value: unknown): boolean => findIssue(name, value) === undefined;
      return listBounds(field)
        .filter(([value, isWithin]) => isValid(value) !== isWithin)
        .map(([value]) => [name, value]);
    });
    expect(wrong).toEqual([]);
  },
);

/** Returns values at the bounds of a field, and whether they are within the bounds. */
function listBounds(field: FieldSchema): [value: unknown, isWithin: boolean][] {
  const { minimum, maximum, maxLength, minItems, maxItems } = field;
  const bounds: [unknown, boolean][] = [];
  if (minimum !== undefined) bounds.push([minimum, true], [minimum - 1, false]);
  if (maximum !== undefined) bounds.push([maximum, true], [maximum + 1, false]);
  if (maxLength !== undefined) bounds.push(["a".repeat(maxLength), true], ["a".repeat(maxLength + 1), false]);
  if (minItems !== undefined) bounds.push([[], false]);
  if (maxItems !== undefined) bounds.push([Array(maxItems + 1).fill("a"), false]);
  return bounds;
}
