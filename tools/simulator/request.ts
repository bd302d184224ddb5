// Reads the fields of requests that affect the simulator's response. As at OpenRouter, a field of an unexpected type is
// treated as absent.
import { countTokens } from "./billing.ts";

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** A function that the model must call, with the JSON schema of its arguments. */
export interface FunctionTool {
  readonly name: string;
  readonly parameters: unknown;
}

/** A request of any endpoint, as far as the simulator reads it. */
export interface ReceivedRequest {
  /** `model`, or the first of `models` */
  readonly model: string | undefined;
  /** the message of the 400 for a request without anything to respond to */
  readonly missing: string | undefined;
  readonly streamed: boolean;
  readonly promptTokens: number;
  /** units that rerankers charge for; 0 for other models */
  readonly searchUnits: number;
  readonly lastUserText: string;
  /** the function to call; undefined for a text response */
  readonly tool: FunctionTool | undefined;
  /** JSON schema of the text; undefined for plain text */
  readonly contentSchema: unknown;
  readonly wantsReasoning: boolean;
}

/** An object's fields; none of anything else. */
export function toFields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

/** A list's items; none of anything else. */
export function toList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

// A tool's result is a part of a message and has parts itself. A hostile body may be nested deeper than the stack allows.
const DEEPEST_PART = 8;

/** The text in a message's content, in parts of it, and in the results of tools. */
export function joinText(content: unknown, depth = 0): string {
  if (typeof content === "string") return content;
  if (depth > DEEPEST_PART) return "";
  if (Array.isArray(content)) return content.map((part) => joinText(part, depth + 1)).join("");
  const { text, content: nested, output } = toFields(content);
  return joinText(text ?? nested ?? output ?? "", depth + 1);
}

/** One message of a conversation. */
export interface Turn {
  readonly role: unknown;
  readonly text: string;
}

/** Reads the fields that requests of all endpoints have. The result has no tool, no schema and no reasoning. */
export function readRequest(
  body: Fields,
  missing: string | undefined,
  turns: readonly Turn[],
): ReceivedRequest {
  const models = [body["model"], ...toList(body["models"])];
  return {
    model: models.find((model) => typeof model === "string"),
    missing,
    streamed: body["stream"] === true,
    promptTokens: countTokens(turns.reduce((sum, { text }) => sum + text.length, 0)),
    searchUnits: 0,
    lastUserText: turns.findLast(({ role }) => role === "user")?.text ?? "",
    tool: undefined,
    contentSchema: undefined,
    wantsReasoning: false,
  };
}

const ANY_OBJECT = { type: "object", properties: { ok: { const: true } } };

/** The schema in a description of structured output; undefined if it asks for text. */
export function readSchema(format: Fields): unknown {
  if (format["type"] === "json_object") return ANY_OBJECT;
  if (format["type"] !== "json_schema") return undefined;
  return format["schema"] ?? toFields(format["json_schema"])["schema"] ?? ANY_OBJECT;
}

/** Whether a field `reasoning` asks for reasoning in the response. */
export function readReasoning(reasoning: unknown): boolean {
  if (reasoning == null) return false;
  const { enabled, exclude, effort } = toFields(reasoning);
  return enabled !== false && exclude !== true && effort !== "none";
}
