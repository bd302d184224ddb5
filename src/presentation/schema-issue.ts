import type { z } from "zod";

/** Names of types in error messages, by their names in zod. */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: "an array",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  object: "an object",
  record: "an object",
  string: "a string",
};

/**
 * Describes what is wrong with a value if its schema has no message of its own. Zod gets this function as `error` parameter.
 * @returns the end of a sentence whose subject is the field, such as `must be a string`; it never contains the value.
 */
export function describeIssue(issue: z.core.$ZodRawIssue): string {
  if (issue.code === "invalid_type") return `must be ${TYPE_NAMES[issue.expected] ?? issue.expected}`;
  if (issue.code === "too_small") return `must ${describeSize(issue.origin, "least", issue.minimum)}`;
  if (issue.code === "too_big") return `must ${describeSize(issue.origin, "most", issue.maximum)}`;
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? "is not valid";
  if (issue.code === "unrecognized_keys") return "is unknown; remove it";
  // The alternative that accepts the type of the value has the most useful message.
  const known =
    issue.code === "invalid_union" && issue.errors.flat().findLast(({ code }) => code !== "invalid_type");
  return known ? known.message : "is not valid";
}

function describeSize(origin: string, bound: "least" | "most", size: number | bigint): string {
  if (origin === "string") return `have at ${bound} ${size} characters`;
  return origin === "array" ? `have at ${bound} ${size} items` : `be at ${bound} ${size}`;
}
