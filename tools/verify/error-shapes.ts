import { type JsonObject, readFields } from "../../src/json-values.ts";

/** How the SDKs of an API read an error. */
export interface ErrorShape {
  /** Describes the shape, for the expectation of a check. */
  readonly expected: string;
  /** Lists the reasons why the SDKs cannot read a body as an error with this status; empty if they can. */
  readonly listFaults: (body: unknown, status: number) => string[];
}

function listMissingTexts(fields: JsonObject, path: string, names: readonly string[]): string[] {
  return names
    .filter((name) => typeof fields[name] !== "string" || fields[name] === "")
    .map((name) => `${path}${name} is ${JSON.stringify(fields[name]) ?? "absent"}`);
}

/** Errors as OpenAI's SDKs read them. */
export const OPENAI_SHAPE: ErrorShape = {
  expected: "error.message, .type and .code as text",
  listFaults: (body) =>
    listMissingTexts(readFields(readFields(body)["error"]), "error.", ["message", "type", "code"]),
};

/** Anthropic's types of errors by status. */
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  502: "api_error",
};

/** Errors as Anthropic's SDKs and Claude Code read them. */
export const ANTHROPIC_SHAPE: ErrorShape = {
  expected: `type "error", Anthropic's error.type for the status, error.message and request_id as text`,
  listFaults: (body, status) => {
    const { type, error, ...rest } = readFields(body);
    const expectedType = ANTHROPIC_TYPES[status];
    const errorType = readFields(error)["type"];
    return [
      ...(type === "error" ? [] : [`type is ${JSON.stringify(type) ?? "absent"}`]),
      ...(errorType === expectedType
        ? []
        : [`error.type is ${JSON.stringify(errorType) ?? "absent"} and not "${expectedType}"`]),
      ...listMissingTexts(readFields(error), "error.", ["message"]),
      ...listMissingTexts(rest, "", ["request_id"]),
    ];
  },
};
