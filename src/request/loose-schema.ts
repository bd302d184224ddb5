import { isJsonObject } from "../json-values.ts";

/**
 * Building blocks for a schema that looks and never changes. Each stops at the first issue it finds: zod's arrays and
 * unions collect them all, so that 20,000 bad message parts made 37 MB of issues. Each is one call per value, because a
 * body may have 100,000 values and checking them must not take longer than parsing them.
 */

/** The first thing wrong with a value. */
export interface SchemaIssue {
  /** Steps from the value down to what is wrong. */
  readonly path: readonly PropertyKey[];
  /** What it must be instead, to follow the field's name: "must be a string". */
  readonly message: string;
  /** The JSON type is wrong, rather than the value. */
  readonly isWrongType: boolean;
}

/** What values of one field must be. */
export class Schema {
  /** @returns the first issue of `value`, or undefined when it fits. */
  readonly findIssue: (value: unknown) => SchemaIssue | undefined;

  constructor(findIssue: (value: unknown) => SchemaIssue | undefined) {
    this.findIssue = findIssue;
  }

  /** The same, but null and an absent field fit too. */
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

/** A string of at most `max` UTF-16 code units. */
export function shortStringSchema(max: number): Schema {
  const tooLong = wrongValue(`must have at most ${max} characters`);
  return new Schema((value) => {
    if (typeof value !== "string") return NOT_A_STRING;
    return value.length > max ? tooLong : undefined;
  });
}

/**
 * An object of which the named fields fit and all others pass. Only the fields that are there are looked at: a request
 * has a few of the many that exist.
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

/** An array of which every item fits `item`. */
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
  /** Any string will do. */
  readonly string?: true;
  readonly array?: Schema;
  readonly object?: Schema;
}

/** A value whose JSON type chooses the schema it must fit. @param expected what to tell the caller to send. */
export function typeSwitchSchema(alternatives: Alternatives, expected: string): Schema {
  return new Schema((value) => {
    const type = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
    const schema = Object.hasOwn(alternatives, type) ? alternatives[type as keyof Alternatives] : undefined;
    if (schema === true) return undefined;
    return schema ? schema.findIssue(value) : wrongType(`must be ${expected}`);
  });
}

/** A number within bounds, both included. */
export function numberSchema(min: number, max: number): Schema {
  return new Schema((value) => {
    if (typeof value !== "number") return wrongType("must be a number");
    return value >= min && value <= max ? undefined : wrongValue(`must be from ${min} to ${max}`);
  });
}

/** A whole number of any size: `9223372036854775807` and `1e400` are whole although no double holds them. */
export function integerSchema(min: number, max = Infinity): Schema {
  const range = max === Infinity ? `at least ${min}` : `from ${min} to ${max}`;
  return new Schema((value) => {
    if (typeof value !== "number" || (Number.isFinite(value) && !Number.isInteger(value))) {
      return wrongType("must be a whole number");
    }
    return value >= min && value <= max ? undefined : wrongValue(`must be ${range}`);
  });
}
