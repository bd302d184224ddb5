import { isJsonObject } from "../../json-values.ts";

/**
 * Building blocks of a schema that validates values and never changes them. A schema stops at the first issue. zod's arrays
 * and unions collect all issues, and for 20,000 invalid message parts the issues took 37 MB. A schema makes one function call
 * per value: a body may have 100,000 values, and validation must not take longer than parsing.
 */

/** The first issue of a value. */
export interface SchemaIssue {
  /** Path from the validated value to the invalid one. */
  readonly path: readonly PropertyKey[];
  /** Message without its subject, the name of the field: "must be a string". */
  readonly message: string;
  /** Whether the JSON type is wrong, and not only the value. */
  readonly isWrongType: boolean;
}

/** Validates the values of one field. */
export class Schema {
  /** @returns the first issue of `value`, or undefined if it is valid. */
  readonly findIssue: (value: unknown) => SchemaIssue | undefined;

  constructor(findIssue: (value: unknown) => SchemaIssue | undefined) {
    this.findIssue = findIssue;
  }

  /** Returns a schema that also accepts null, but not an absent field. */
  nullable(): Schema {
    const { findIssue } = this;
    return new Schema((value) => (value === null ? undefined : findIssue(value)));
  }

  /** Returns a schema that also accepts null and an absent field. */
  nullish(): Schema {
    const { findIssue } = this;
    return new Schema((value) => (value == null ? undefined : findIssue(value)));
  }
}

const wrongType = (message: string): SchemaIssue => ({ path: [], message, isWrongType: true });
const wrongValue = (message: string): SchemaIssue => ({ path: [], message, isWrongType: false });

const NOT_A_STRING = wrongType("must be a string");
const NOT_A_BOOLEAN = wrongType("must be true or false");

export const stringSchema: Schema = new Schema((value) =>
  typeof value === "string" ? undefined : NOT_A_STRING,
);
export const booleanSchema: Schema = new Schema((value) =>
  typeof value === "boolean" ? undefined : NOT_A_BOOLEAN,
);

/** Accepts a string of at most `max` UTF-16 code units. */
export function shortStringSchema(max: number): Schema {
  const tooLong = wrongValue(`must have at most ${max} characters`);
  return new Schema((value) => {
    if (typeof value !== "string") return NOT_A_STRING;
    return value.length > max ? tooLong : undefined;
  });
}

/**
 * Accepts an object if the fields named here are valid, and ignores other fields. The schema iterates over the fields of the
 * object, not over its own, because a request has only a few of the many documented fields.
 */
export function objectSchema(fields: Readonly<Record<string, Schema>> = {}): Schema {
  const schemas = new Map(Object.entries(fields));
  const whenMissing = Object.entries(fields).map(([name, schema]) => ({
    name,
    issue: schema.findIssue(undefined),
  }));
  const required = whenMissing.filter(({ issue }) => issue !== undefined);
  return new Schema((value) => {
    if (!isJsonObject(value)) return wrongType("must be an object");
    for (const { name, issue } of required) {
      if (issue && !Object.hasOwn(value, name)) return { ...issue, path: [name, ...issue.path] };
    }
    if (schemas.size === 0) return undefined;
    for (const name of Object.keys(value)) {
      const schema = schemas.get(name);
      const issue = schema && schema.findIssue(value[name]);
      if (issue) return { ...issue, path: [name, ...issue.path] };
    }
    return undefined;
  });
}

/** Accepts an array if `item` accepts each of its items. */
export function arraySchema(item: Schema, { min = 0, max = Infinity } = {}): Schema {
  return new Schema((value) => {
    if (!Array.isArray(value)) return wrongType("must be an array");
    if (value.length < min)
      return wrongValue(min === 1 ? "must not be empty" : `must have at least ${min} items`);
    if (value.length > max) return wrongValue(`must have at most ${max} items`);
    for (let index = 0; index < value.length; index++) {
      const issue = item.findIssue(value[index]);
      if (issue) return { ...issue, path: [index, ...issue.path] };
    }
    return undefined;
  });
}

interface Alternatives {
  /** If true, any string is valid. */
  readonly string?: true;
  readonly array?: Schema;
  readonly object?: Schema;
}

/** Chooses the schema of a value by its JSON type. @param expected description of valid values for the error message. */
export function typeSwitchSchema(alternatives: Alternatives, expected: string): Schema {
  return new Schema((value) => {
    const type = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
    const schema = Object.hasOwn(alternatives, type) ? alternatives[type as keyof Alternatives] : undefined;
    if (schema === true) return undefined;
    return schema ? schema.findIssue(value) : wrongType(`must be ${expected}`);
  });
}

/** Accepts a number from `min` to `max`. */
export function numberSchema(min: number, max: number): Schema {
  return new Schema((value) => {
    if (typeof value !== "number") return wrongType("must be a number");
    return value >= min && value <= max ? undefined : wrongValue(`must be from ${min} to ${max}`);
  });
}

/** Accepts a whole number from `min` to `max`, even if a double cannot hold it exactly: `9223372036854775807`, `1e400`. */
export function integerSchema(min: number, max = Infinity): Schema {
  const range = max === Infinity ? `at least ${min}` : `from ${min} to ${max}`;
  return new Schema((value) => {
    if (typeof value !== "number" || (Number.isFinite(value) && !Number.isInteger(value))) {
      return wrongType("must be a whole number");
    }
    return value >= min && value <= max ? undefined : wrongValue(`must be ${range}`);
  });
}

/** Accepts every value, present or not. */
export const anySchema: Schema = new Schema(() => undefined);
