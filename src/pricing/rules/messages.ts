import { type JsonObject, readFields, readItems } from "../../json-values.ts";
import type { CostRules } from "../cost-rules.ts";
import { DEPENDENT, DESCRIPTION, PROVIDER, ROUTING, SAMPLING, splitNames } from "../known-fields.ts";
import { isPlainContent } from "../plain-content.ts";
import { listTexts, measureEncrypted, NO_PARTS, type PromptParts, toFormatParts } from "../prompt-size.ts";
import { isEmpty, type UnboundedCost } from "../unbounded-costs.ts";

/** Fields that add costs of unknown size, with the end of a sentence about them. */
const UNBOUNDED: ReadonlyMap<string, string> = new Map([
  ["mcp_servers", "The tools of MCP servers, which run on the server, have"],
  ["container", "A container, whose content is stored, has"],
  ["thread", "A thread, whose messages are stored, has"],
  ["inference_geo", "The price of a region is not listed, so inference_geo has"],
]);

/** How the cost of a message of Anthropic's Messages API is bounded. */
export const MESSAGES_COST: CostRules = {
  output: "text",
  unbounded: {
    known: {
      topLevel: splitNames(
        SAMPLING,
        DESCRIPTION,
        DEPENDENT,
        ROUTING,
        `messages system max_tokens stop_sequences thinking tools tool_choice output_config output_format context_management
        fallbacks mcp_servers container thread inference_geo`,
      ),
      objects: {
        provider: PROVIDER,
        thinking: splitNames("type budget_tokens display"),
        output_config: splitNames("effort format task_budget"),
        context_management: splitNames("edits"),
      },
      items: { messages: splitNames("role content"), fallbacks: splitNames("model") },
    },
    hasMedia: (fields) => listContents(fields).some((content) => readItems(content).some(isMediaBlock)),
    hasServerTools: ({ tools }) => readItems(tools).map(readFields).some(isServerTool),
    findOthers,
  },
  readParts,
  completion: {
    limitFields: ["max_tokens"],
    toChatFields: (fields) => ({ max_tokens: fields["max_tokens"], reasoning: toReasoning(fields) }),
    countPromptUses: () => 1,
  },
  plain: {
    fields: splitNames(SAMPLING, DESCRIPTION, "model models messages max_tokens stop_sequences"),
    textField: "messages",
    countTexts: countPlainMessages,
  },
};

function toReasoning(fields: JsonObject): JsonObject | null {
  const { type, budget_tokens: budget } = readFields(fields["thinking"]);
  const isOn = fields["thinking"] != null && type !== "disabled";
  if (!isOn && readFields(fields["output_config"])["effort"] == null) return null;
  return { max_tokens: isOn ? budget : undefined };
}

/** The contents of the system prompt and of all messages. */
function listContents({ system, messages }: JsonObject): unknown[] {
  return [system, ...readItems(messages).map((message) => readFields(message)["content"])];
}

/** Types of blocks that consist of text or of encrypted text, with their fields. */
const TEXT_BLOCKS: ReadonlyMap<unknown, ReadonlySet<string>> = new Map([
  ["text", splitNames("type text cache_control citations")],
  ["tool_use", splitNames("type id name input cache_control caller")],
  ["tool_result", splitNames("type tool_use_id content is_error cache_control")],
  ["thinking", splitNames("type thinking signature")],
  ["redacted_thinking", splitNames("type data")],
]);

function isMediaBlock(block: unknown): boolean {
  const fields = readFields(block);
  const { type } = fields;
  const known = TEXT_BLOCKS.get(type);
  return (
    known === undefined ||
    Object.keys(fields).some((name) => !known.has(name) && fields[name] != null) ||
    // The results of a tool consist of texts, and have no results themselves.
    (type === "tool_result" &&
      readItems(fields["content"]).some((part) => readFields(part)["type"] !== "text" || isMediaBlock(part)))
  );
}

/** Anthropic's tools that the client runs. Their descriptions take up to 700 tokens. */
const CLIENT_TOOLS = /^(?:bash|text_editor)_\d+$/;

function isServerTool({ type }: JsonObject): boolean {
  return type != null && type !== "custom" && !isDescribedTool({ type });
}

function isDescribedTool({ type }: JsonObject): boolean {
  return typeof type === "string" && CLIENT_TOOLS.test(type);
}

/** Context edits that only remove a part of the prompt. Any other edit may generate text. */
const REMOVING_EDIT = /^clear_(?:thinking|tool_uses)_\d+$/;

function findOthers(fields: JsonObject): UnboundedCost[] {
  const found = [...UNBOUNDED]
    .filter(([name]) => !isEmpty(fields[name]))
    .map(([name, subject]) => ({
      name,
      note: `${subject} an unbounded cost: drop ${name}.`,
      param: name,
    }));
  const edits = readItems(readFields(fields["context_management"])["edits"]);
  if (edits.some((edit) => !REMOVING_EDIT.test(String(readFields(edit)["type"]))))
    found.push({
      name: "context_management",
      note: "An edit of the context, other than clearing it, has an unbounded cost: drop it from context_management.",
      param: "context_management",
    });
  return found;
}

function readParts(fields: JsonObject): PromptParts {
  const blocks = listContents(fields).flatMap((content) => readItems(content).map(readFields));
  const messages = 1 + readItems(fields["messages"]).length;
  const tools = readItems(fields["tools"]).map(readFields);
  const format = readFields(fields["output_config"])["format"] ?? fields["output_format"];
  return {
    ...NO_PARTS,
    // A template for another API may turn each block into a message.
    messages: messages + blocks.length,
    schemas: [
      ...tools.map((value) => ({ value, document: value["input_schema"] })),
      ...toFormatParts(format, readFields(format)["schema"]),
    ],
    callValues: blocks.flatMap(listCallValues),
    instructions:
      (tools.length > 0 ? 1 : 0) + (format == null ? 0 : 1) + tools.filter(isDescribedTool).length,
    encryptedBytes: blocks.reduce(
      (sum, { signature, data }) => sum + measureEncrypted(signature) + measureEncrypted(data),
      0,
    ),
  };
}

/** Lists the arguments and results of tool calls. */
function listCallValues({ type, input, content }: JsonObject): unknown[] {
  return type === "tool_result" ? listTexts(content) : [input];
}

/** Counts messages and the system prompt; returns -1 if a message has anything but texts. */
function countPlainMessages(value: unknown): number {
  const messages = readItems(value);
  let count = 1 + messages.length;
  for (let index = 0; index < messages.length; index++) {
    const message = readFields(messages[index]);
    const { content } = message;
    for (const name in message) if (name !== "role" && name !== "content") return -1;
    if (!isPlainContent(content, "text")) return -1;
    if (typeof content !== "string") count += readItems(content).length;
  }
  return count;
}
