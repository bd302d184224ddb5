type JsonSchema = Record<string, unknown>;

const isObject = (value: unknown): value is JsonSchema => typeof value === "object" && value !== null;

/**
 * Rewrites the choice between a schema and null as one schema that accepts both, at any depth and in place:
 * `anyOf: [{type: "string"}, {type: "null"}]` becomes `type: ["string", "null"]`. Readers and pages understand it sooner.
 */
export function mergeNullable(value: unknown): void {
  if (!isObject(value)) return;
  for (const inner of Object.values(value)) mergeNullable(inner);
  const { anyOf, ...others } = value;
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return;
  const [schema, end] = anyOf as readonly unknown[];
  if (!isObject(schema) || !isObject(end) || end["type"] !== "null" || typeof schema["type"] !== "string")
    return;
  delete value["anyOf"];
  Object.assign(value, schema, { type: [schema["type"], "null"] }, others);
  if (Array.isArray(schema["enum"])) value["enum"] = [...(schema["enum"] as readonly unknown[]), null];
}
