import { z } from "zod";

/**
 * Building blocks for a schema that looks and never changes: its output is thrown away. Each stops at the first fault
 * it finds, because zod's own arrays and unions collect them all: 20,000 bad message parts made 37 MB of issues.
 */

/** The first thing wrong with a value. */
export interface Fault {
  /** Steps from the value down to what is wrong. */
  readonly path: readonly PropertyKey[];
  /** What it must be instead, to follow the field's name: "must be a string". */
  readonly message: string;
  /** The JSON type is wrong, rather than the value. */
  readonly wrongType: boolean;
}

/** @returns the first fault of `value`, or undefined when it fits. */
export function firstFault(schema: z.ZodType, value: unknown): Fault | undefined {
  const issue = schema.safeParse(value).error?.issues[0];
  if (issue === undefined) return undefined;
  const wrongType =
    issue.code === "custom" ? issue.params?.["wrongType"] === true : issue.code === "invalid_type";
  return { path: issue.path, message: issue.message, wrongType };
}

/** A schema that fits unless `faultOf` finds something. */
function fitting(faultOf: (value: unknown) => Fault | undefined): z.ZodType {
  return z.unknown().check((ctx) => {
    const fault = faultOf(ctx.value);
    if (fault === undefined) return;
    const { message, wrongType } = fault;
    ctx.issues.push({
      code: "custom",
      input: undefined,
      message,
      path: [...fault.path],
      params: { wrongType },
    });
  });
}

const wrongType = (message: string): Fault => ({ path: [], message, wrongType: true });
const wrongValue = (message: string): Fault => ({ path: [], message, wrongType: false });

export const text: z.ZodString = z.string({ error: "must be a string" });
export const flag: z.ZodBoolean = z.boolean({ error: "must be true or false" });

/**
 * An object of which the named fields fit and all others pass. Only the fields that are there are looked at: a request
 * has a few of the many that exist, and zod's own object would make a copy of it besides.
 */
export function object(fields: Readonly<Record<string, z.ZodType>> = {}): z.ZodType {
  const schemas = new Map(Object.entries(fields));
  const whenMissing = Object.entries(fields).map(([name, schema]) => ({
    name,
    fault: firstFault(schema, undefined),
  }));
  const required = whenMissing.filter(({ fault }) => fault !== undefined);
  return fitting((value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return wrongType("must be an object");
    const given = value as Readonly<Record<string, unknown>>;
    for (const { name, fault } of required) {
      if (fault && !Object.hasOwn(given, name)) return { ...fault, path: [name, ...fault.path] };
    }
    for (const name of Object.keys(given)) {
      const schema = schemas.get(name);
      const fault = schema && firstFault(schema, given[name]);
      if (fault) return { ...fault, path: [name, ...fault.path] };
    }
    return undefined;
  });
}

/** An array of which every item fits `item`. */
export function items(item: z.ZodType, { min = 0, max = Infinity } = {}): z.ZodType {
  return fitting((value) => {
    if (!Array.isArray(value)) return wrongType("must be an array");
    if (value.length < min)
      return wrongValue(min === 1 ? "must not be empty" : `must have at least ${min} items`);
    if (value.length > max) return wrongValue(`must have at most ${max} items`);
    for (let index = 0; index < value.length; index++) {
      const fault = firstFault(item, value[index]);
      if (fault) return { ...fault, path: [index, ...fault.path] };
    }
    return undefined;
  });
}

interface Alternatives {
  /** Any string will do. */
  readonly string?: true;
  readonly array?: z.ZodType;
  readonly object?: z.ZodType;
}

/** A value whose JSON type chooses the schema it must fit. @param expected what to tell the caller to send. */
export function byType(alternatives: Alternatives, expected: string): z.ZodType {
  return fitting((value) => {
    const type = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
    const schema = Object.hasOwn(alternatives, type) ? alternatives[type as keyof Alternatives] : undefined;
    if (schema === true) return undefined;
    return schema ? firstFault(schema, value) : wrongType(`must be ${expected}`);
  });
}

/** A number within bounds, both included. */
export function number(min: number, max: number): z.ZodType {
  return fitting((value) => {
    if (typeof value !== "number") return wrongType("must be a number");
    return value >= min && value <= max ? undefined : wrongValue(`must be from ${min} to ${max}`);
  });
}

/** A whole number of any size: `9223372036854775807` and `1e400` are whole although no double holds them. */
export function whole(min: number, max = Infinity): z.ZodType {
  const range = max === Infinity ? `at least ${min}` : `from ${min} to ${max}`;
  return fitting((value) => {
    if (typeof value !== "number" || (Number.isFinite(value) && !Number.isInteger(value))) {
      return wrongType("must be a whole number");
    }
    return value >= min && value <= max ? undefined : wrongValue(`must be ${range}`);
  });
}
