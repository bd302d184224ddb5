// Creates a small value that conforms to a JSON schema: the content for `response_format: json_schema`, and the arguments
// of tool calls. Ignores `pattern` and `not`, and follows local `$ref`.

type Schema = Record<string, unknown>;

const FORMATS: Readonly<Record<string, string>> = {
  date: "2026-01-31",
  "date-time": "2026-01-31T12:00:00Z",
  time: "12:00:00Z",
  duration: "P1D",
  email: "a@example.com",
  uri: "https://example.com/",
  uuid: "00000000-0000-4000-8000-000000000000",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
};

// Below this depth, the last alternative of `anyOf` and `oneOf` is used: in recursive schemas, it is usually `null`.
const DEEP = 6;
const TOO_DEEP = 64;

function toSchema(value: unknown): Schema {
  return typeof value === "object" && value !== null ? (value as Schema) : {};
}

function readNumber(value: unknown, fallback: number): number {
  return typeof value === "number" ? value : fallback;
}

function follow(schema: Schema, root: unknown): Schema {
  const ref = schema["$ref"];
  if (typeof ref !== "string" || !ref.startsWith("#")) return schema;
  const steps = ref.slice(1).split("/").slice(1);
  return toSchema(
    steps.reduce<unknown>(
      (at, step) => toSchema(at)[decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~")],
      root,
    ),
  );
}

function buildText(schema: Schema): string {
  const formatted = FORMATS[String(schema["format"])];
  if (formatted !== undefined) return formatted;
  const least = readNumber(schema["minLength"], 0);
  const most = readNumber(schema["maxLength"], Number.POSITIVE_INFINITY);
  // The text is split into code points, because JSON Schema counts the length of a string in code points.
  return Array.from("Zürich 🗼".padEnd(least + 1, "…"))
    .slice(0, Math.max(least, Math.min(most, 8)))
    .join("");
}

function buildNumber(schema: Schema, whole: boolean): number {
  const step = readNumber(schema["multipleOf"], whole ? 1 : 0.5);
  const least = readNumber(schema["minimum"], Number.NEGATIVE_INFINITY);
  const above = readNumber(schema["exclusiveMinimum"], Number.NEGATIVE_INFINITY);
  const most = readNumber(schema["maximum"], Number.POSITIVE_INFINITY);
  const below = readNumber(schema["exclusiveMaximum"], Number.POSITIVE_INFINITY);
  const floor = Math.max(Math.ceil(least / step) * step, (Math.floor(above / step) + 1) * step);
  const ceiling = Math.min(Math.floor(most / step) * step, (Math.ceil(below / step) - 1) * step);
  return Math.max(floor, Math.min(step, ceiling));
}

function buildObject(schema: Schema, root: unknown, depth: number): Schema {
  const properties = toSchema(schema["properties"]);
  const { required } = schema;
  const names = Array.isArray(required) ? required.map(String) : depth < DEEP ? Object.keys(properties) : [];
  return Object.fromEntries(names.map((name) => [name, build(properties[name], root, depth + 1)]));
}

function buildArray(schema: Schema, root: unknown, depth: number): unknown[] {
  const { prefixItems } = schema;
  const first = Array.isArray(prefixItems) ? prefixItems : [];
  const wanted = readNumber(schema["minItems"], depth < DEEP ? 1 : 0);
  const count = Math.min(Math.max(wanted, first.length), readNumber(schema["maxItems"], 100));
  return Array.from({ length: count }, (_, i) => build(first[i] ?? schema["items"], root, depth + 1));
}

function inferType(schema: Schema): unknown {
  const { type } = schema;
  if (Array.isArray(type)) return type[0];
  if (type !== undefined) return type;
  if (schema["properties"] !== undefined) return "object";
  return schema["items"] === undefined ? "string" : "array";
}

function build(given: unknown, root: unknown, depth: number): unknown {
  if (depth > TOO_DEEP) return null;
  const schema = follow(toSchema(given), root);
  if ("const" in schema) return schema["const"];
  if (Array.isArray(schema["enum"])) return schema["enum"][0];
  for (const choice of [schema["anyOf"], schema["oneOf"]]) {
    if (Array.isArray(choice)) return build(choice.at(depth < DEEP ? 0 : -1), root, depth + 1);
  }
  if (Array.isArray(schema["allOf"])) {
    const parts = schema["allOf"].map((part) => follow(toSchema(part), root));
    const properties = Object.assign({}, ...[schema, ...parts].map((part) => part["properties"])) as Schema;
    const required = [schema, ...parts].flatMap((part) => part["required"] ?? []);
    return build({ ...Object.assign({}, ...parts), properties, required }, root, depth + 1);
  }
  switch (inferType(schema)) {
    case "object":
      return buildObject(schema, root, depth);
    case "array":
      return buildArray(schema, root, depth);
    case "integer":
      return buildNumber(schema, true);
    case "number":
      return buildNumber(schema, false);
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return buildText(schema);
  }
}

/** Creates a value that conforms to `schema`. Without a `required` list, an object gets all properties of its schema. */
export function makeInstance(schema: unknown): unknown {
  return build(schema, schema, 0);
}
