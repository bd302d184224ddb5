import type { FastifySchemaCompiler } from "fastify";
import type { z } from "zod";
import { GatewayError } from "../errors.ts";
import { formatParamPath } from "../request/param-path.ts";
import { describeIssue } from "../presentation/schema-issue.ts";

const PARAM_MAX_CHARS = 127;

/** Validates a part of a request and returns the value that its schema produces. The first issue becomes an error 400. */
export const compileZodValidator: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data: unknown) => {
    const {
      success,
      data: value,
      error,
    } = schema.safeParse(data, { error: describeIssue, reportInput: true });
    return success ? { value } : { error: toGatewayError(error.issues[0]) };
  };

function toGatewayError(issue: z.core.$ZodIssue | undefined): GatewayError {
  const path: PropertyKey[] = [...(issue?.path ?? [])];
  if (issue?.code === "unrecognized_keys") path.push(issue.keys[0] ?? "");
  const missing = issue?.code === "invalid_type" && issue.input === undefined;
  if (path.length === 0)
    return new GatewayError("missing_required_parameter", "The request body is empty; send a JSON object.");
  const param = formatParamPath(path).slice(0, PARAM_MAX_CHARS);
  if (missing) return new GatewayError("missing_required_parameter", `${param} is missing.`, { param });
  const code = issue?.code === "invalid_type" ? "invalid_type" : "invalid_value";
  return new GatewayError(code, `${param} ${issue?.message ?? "is not valid"}.`, { param });
}
