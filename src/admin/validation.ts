import type { FastifySchemaCompiler } from "fastify";
import type { z } from "zod";
import { GatewayError } from "../errors.ts";

const PARAM_MAX_CHARS = 128;
const KINDS: Readonly<Record<string, string>> = {
  array: "an array",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  object: "an object",
  record: "an object",
  string: "a string",
};

/** Checks a part of a request with its schema and gives what the schema makes of it; the first fault becomes a 400. */
export const checkWithZod: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data: unknown) => {
    const { success, data: value, error } = schema.safeParse(data, { error: faultOf, reportInput: true });
    return success ? { value } : { error: toGatewayError(error.issues[0]) };
  };

/** What is wrong, where the schema itself does not say; never with the value. Given to zod as its `error`. */
export function faultOf(issue: z.core.$ZodRawIssue): string {
  if (issue.code === "invalid_type") return `must be ${KINDS[issue.expected] ?? issue.expected}`;
  if (issue.code === "too_small") return `must ${sizeOf(issue.origin, "least", issue.minimum)}`;
  if (issue.code === "too_big") return `must ${sizeOf(issue.origin, "most", issue.maximum)}`;
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? "is not valid";
  if (issue.code === "unrecognized_keys") return "is not known here; leave it out";
  // Of alternatives, the one that has the right type knows best.
  const known =
    issue.code === "invalid_union" && issue.errors.flat().findLast(({ code }) => code !== "invalid_type");
  return known ? known.message : "is not valid";
}

function sizeOf(origin: string, bound: "least" | "most", size: number | bigint): string {
  if (origin === "string") return `have at ${bound} ${size} characters`;
  return origin === "array" ? `have at ${bound} ${size} items` : `be at ${bound} ${size}`;
}

function toGatewayError(issue: z.core.$ZodIssue | undefined): GatewayError {
  const path: PropertyKey[] = [...(issue?.path ?? [])];
  if (issue?.code === "unrecognized_keys") path.push(issue.keys[0] ?? "");
  const missing = issue?.code === "invalid_type" && issue.input === undefined;
  if (path.length === 0)
    return new GatewayError("missing_required_parameter", "The request body is empty; send a JSON object.");
  const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`));
  const param = steps.join("").slice(1, PARAM_MAX_CHARS);
  if (missing) return new GatewayError("missing_required_parameter", `${param} is missing.`, { param });
  const code = issue?.code === "invalid_type" ? "invalid_type" : "invalid_value";
  return new GatewayError(code, `${param} ${issue?.message ?? "is not valid"}.`, { param });
}
