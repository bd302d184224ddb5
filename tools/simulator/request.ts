// The fields of a chat request that affect the simulator's response. As at OpenRouter, a field of an unexpected type is
// treated as absent.

/** A function that the model must call, with the JSON schema of its arguments. */
interface FunctionTool {
  readonly name: string;
  readonly parameters: unknown;
}

/** The fields of a chat request that the simulator reads. */
export interface ReceivedChat {
  /** `model`, or the first of `models` */
  readonly model: string | undefined;
  readonly streamed: boolean;
  readonly hasMessages: boolean;
  /** characters of text in all messages */
  readonly promptChars: number;
  readonly lastUserText: string;
  /** the function to call; undefined for a text response */
  readonly tool: FunctionTool | undefined;
  /** JSON schema of the content; undefined for plain text */
  readonly contentSchema: unknown;
  readonly wantsReasoning: boolean;
  readonly echoesBody: boolean;
}

type Fields = Record<string, unknown>;

function toFields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function toList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function joinText(content: unknown): string {
  if (typeof content === "string") return content;
  const texts = toList(content).map((part) => toFields(part)["text"]);
  return texts.filter((text) => typeof text === "string").join("");
}

function chooseTool(body: Fields, lastRole: unknown): FunctionTool | undefined {
  const choice = body["tool_choice"];
  if (choice === "none" || lastRole === "tool") return undefined;
  const requiredName = toFields(toFields(choice)["function"])["name"];
  for (const tool of toList(body["tools"])) {
    const { name, parameters } = toFields(toFields(tool)["function"]);
    if (typeof name === "string" && (requiredName === undefined || requiredName === name))
      return { name, parameters };
  }
  return undefined;
}

const ANY_OBJECT = { type: "object", properties: { ok: { const: true } } };

function readContentSchema(format: Fields): unknown {
  if (format["type"] === "json_object") return ANY_OBJECT;
  if (format["type"] === "json_schema") return toFields(format["json_schema"])["schema"] ?? ANY_OBJECT;
  return undefined;
}

function wantsReasoning(reasoning: Fields | undefined): boolean {
  if (reasoning === undefined) return false;
  return reasoning["enabled"] !== false && reasoning["exclude"] !== true && reasoning["effort"] !== "none";
}

/** Reads the fields of a parsed body. @returns undefined if the body is not a JSON object */
export function readChatRequest(value: unknown): ReceivedChat | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const body = value as Fields;
  const messages = toList(body["messages"]).map(toFields);
  const texts = messages.map((message) => joinText(message["content"]));
  const lastUser = messages.findLastIndex((message) => message["role"] === "user");
  const models = [body["model"], ...toList(body["models"])];
  const { reasoning } = body;
  return {
    model: models.find((model) => typeof model === "string"),
    streamed: body["stream"] === true,
    hasMessages: Array.isArray(body["messages"]),
    promptChars: texts.reduce((sum, text) => sum + text.length, 0),
    lastUserText: texts[lastUser] ?? "",
    tool: chooseTool(body, messages.at(-1)?.["role"]),
    contentSchema: readContentSchema(toFields(body["response_format"])),
    wantsReasoning: wantsReasoning(reasoning == null ? undefined : toFields(reasoning)),
    echoesBody: toFields(body["debug"])["echo_upstream_body"] === true,
  };
}
