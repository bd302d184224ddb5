import { type JsonObject, readFields, readItems } from "../../json-values.ts";
import type { CostRules } from "../cost-rules.ts";
import {
  DEPENDENT,
  DESCRIPTION,
  PROVIDER,
  REASONING,
  ROUTING,
  SAMPLING,
  splitNames,
} from "../known-fields.ts";
import { isPlainContent } from "../plain-content.ts";
import { listTexts, measureEncrypted, NO_PARTS, type PromptParts, toFormatParts } from "../prompt-size.ts";
import { isEmpty, type UnboundedCost } from "../unbounded-costs.ts";

/** Fields that add stored content to a prompt. */
const STORED: ReadonlyMap<string, string> = new Map([
  ["previous_response_id", "send the previous items in input"],
  ["conversation", "send the previous items in input"],
  ["prompt", "send its text in instructions or input"],
]);

/** How the cost of a response of the Responses API is bounded. */
export const RESPONSES_COST: CostRules = {
  output: "text",
  unbounded: {
    known: {
      topLevel: splitNames(
        SAMPLING,
        DESCRIPTION,
        DEPENDENT,
        ROUTING,
        `input instructions max_output_tokens max_tool_calls include tools tool_choice parallel_tool_calls reasoning text
        modalities truncation background client_metadata previous_response_id conversation prompt`,
      ),
      objects: {
        provider: PROVIDER,
        reasoning: new Set([...REASONING, "generate_summary"]),
        text: splitNames("format verbosity"),
      },
      items: {
        input:
          splitNames(`type id role content status phase name namespace arguments call_id output input action operation
          max_output_length summary encrypted_content tools parsed_arguments internal_chat_message_metadata_passthrough`),
      },
    },
    hasMedia: ({ input }) => readItems(input).map(readFields).some(hasMedia),
    hasServerTools: (fields) => listTools(fields).some(isServerTool) || isServerChoice(fields["tool_choice"]),
    findOthers: findStoredContent,
  },
  readParts,
  completion: {
    limitFields: ["max_output_tokens"],
    toChatFields: ({ max_output_tokens: limit, reasoning }) => ({ max_tokens: limit, reasoning }),
    countPromptUses: () => 1,
  },
  plain: {
    fields: splitNames(SAMPLING, DESCRIPTION, "model models input instructions max_output_tokens truncation"),
    textField: "input",
    countTexts: countPlainItems,
  },
};

/** Types of input items that consist of text, or of encrypted text. */
const TEXT_ITEMS: ReadonlySet<unknown> =
  splitNames(`message function_call function_call_output custom_tool_call
  custom_tool_call_output local_shell_call local_shell_call_output shell_call shell_call_output apply_patch_call
  apply_patch_call_output reasoning compaction context_compaction additional_tools`);
const TEXT_PARTS: ReadonlySet<unknown> = splitNames(
  "input_text output_text text refusal summary_text reasoning_text",
);
const PART_FIELDS = splitNames(
  "type text refusal annotations logprobs cache_control prompt_cache_breakpoint",
);

function hasMedia({ type, content, output }: JsonObject): boolean {
  return (
    !TEXT_ITEMS.has(type ?? "message") || [content, output].some((one) => readItems(one).some(isMediaPart))
  );
}

function isMediaPart(part: unknown): boolean {
  const fields = readFields(part);
  return (
    !TEXT_PARTS.has(fields["type"]) ||
    Object.keys(fields).some((name) => !PART_FIELDS.has(name) && fields[name] != null) ||
    readItems(fields["annotations"]).some((annotation) => readFields(annotation)["type"] !== "url_citation")
  );
}

/** Lists the tools of a request, including those in namespaces and in items of `input`. */
function listTools({ tools, input }: JsonObject): JsonObject[] {
  const found: JsonObject[] = [];
  const open = [
    ...readItems(tools),
    ...readItems(input).flatMap((item) => readItems(readFields(item)["tools"])),
  ];
  for (let tool = open.pop(); tool !== undefined; tool = open.pop()) {
    const fields = readFields(tool);
    if (fields["type"] === "namespace") open.push(...readItems(fields["tools"]));
    else found.push(fields);
  }
  return found;
}

/** Tools that the client runs. */
const CLIENT_TOOLS: ReadonlySet<unknown> = splitNames("function custom local_shell");

function isServerTool({ type }: JsonObject): boolean {
  return !CLIENT_TOOLS.has(type);
}

function isServerChoice(choice: unknown): boolean {
  if (typeof choice !== "object" || choice === null) return false;
  const { type } = readFields(choice);
  return type !== "allowed_tools" && !CLIENT_TOOLS.has(type);
}

function findStoredContent(fields: JsonObject): UnboundedCost[] {
  return [...STORED]
    .filter(([name]) => !isEmpty(fields[name]))
    .map(([name, remedy]) => ({
      name,
      note: `The length of the stored content that ${name} adds is unbounded: drop ${name}, and ${remedy}.`,
      param: name,
    }));
}

function readParts(fields: JsonObject): PromptParts {
  const items = readItems(fields["input"]).map(readFields);
  const tools = listTools(fields);
  const format = readFields(fields["text"])["format"];
  const isText = (readFields(format)["type"] ?? "text") === "text";
  return {
    ...NO_PARTS,
    messages: 1 + Math.max(1, items.length),
    schemas: [
      ...tools.map((value) => ({
        value,
        document: readFields(value["function"])["parameters"] ?? value["parameters"],
      })),
      ...toFormatParts(format, readFields(format)["schema"]),
    ],
    callValues: items.flatMap(listCallValues),
    // A provider may describe tools that have a type of their own, such as a shell, at length.
    instructions:
      (tools.length > 0 ? 1 : 0) +
      (isText ? 0 : 1) +
      tools.filter(({ type }) => type === "local_shell").length,
    encryptedBytes: items.reduce((sum, item) => sum + measureEncrypted(item["encrypted_content"]), 0),
  };
}

/** Lists the arguments and results of tool calls. */
function listCallValues({ arguments: given, input, output, action, operation }: JsonObject): unknown[] {
  const result = Array.isArray(output) ? listTexts(output) : [output];
  return [given, input, action, operation, ...result];
}

/** Counts items and the instructions; returns -1 if an item is not a message of texts. */
function countPlainItems(input: unknown): number {
  if (typeof input === "string") return 2;
  const items = readItems(input);
  for (let index = 0; index < items.length; index++) {
    const item = readFields(items[index]);
    for (const name in item) {
      if (name === "content") {
        if (!isPlainContent(item[name], "input_text")) return -1;
      } else if (name === "type") {
        if (item[name] !== "message") return -1;
      } else if (name !== "role") return -1;
    }
  }
  return items.length === 0 ? -1 : items.length + 1;
}
