/** A parsed JSON object whose fields have not been validated. */
export type JsonObject = Readonly<Record<string, unknown>>;

const NO_FIELDS: JsonObject = {};
const NO_ITEMS: readonly unknown[] = [];

/** Whether a parsed JSON value is an object: neither an array nor null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns a JSON object unchanged, and an empty object for any other value. */
export function readFields(value: unknown): JsonObject {
  return isJsonObject(value) ? value : NO_FIELDS;
}

/** Returns a JSON array unchanged, and an empty array for any other value. */
export function readItems(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : NO_ITEMS;
}
