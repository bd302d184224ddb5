import { GatewayError } from "../errors.ts";
import type { JsonObject } from "../json-values.ts";
import { formatParamPath } from "./param-path.ts";
import type { Schema } from "./schemas/loose-schema.ts";

/**
 * Validates a parsed request. The value is not copied, so no field is dropped or coerced.
 * @throws GatewayError 400 for the first issue, with its path as `param`. The message never quotes a value.
 */
export function checkSchema(schema: Schema, value: JsonObject): void {
  const issue = schema.findIssue(value);
  if (!issue) return;
  const param = formatParamPath(issue.path);
  let invalid: unknown = value;
  for (const step of issue.path) invalid = (invalid as Record<PropertyKey, unknown> | undefined)?.[step];
  if (invalid === undefined)
    throw new GatewayError("missing_required_parameter", `${param} is missing.`, { param });
  throw new GatewayError(issue.isWrongType ? "invalid_type" : "invalid_value", `${param} ${issue.message}.`, {
    param,
  });
}
