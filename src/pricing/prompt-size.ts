import { fieldsOf, itemsOf } from "./json-fields.ts";

/** How many tokens the text of a prompt may be, tools and answer format included. */
export interface PromptSize {
  readonly leastTokens: number;
  readonly mostTokens: number;
}

/** English has 4 or 5, long words of its vocabulary some 17: no text that means anything has longer tokens on average. */
const CHARACTERS_PER_TOKEN = 20;
/** Marks around a message, as `<|im_start|>assistant<|im_sep|>`. */
const TOKENS_PER_MESSAGE = 16;
/** What templates and providers say before the caller's messages: the date, how to reason; Grok 4 has been seen with 680. */
const TEMPLATE_TOKENS = 1024;
/** What providers tell a model about the use of tools; Anthropic documents up to some 800 tokens. */
const TOOL_PROMPT_TOKENS = 1024;

/**
 * Bounds the tokens of a prompt without a tokenizer.
 *
 * A tokenizer that works on bytes makes at most one token of each, so the bytes are the upper bound. The lower one is a rule
 * of thumb; a run of one character counts once in it, for tokenizers have tokens of many blanks or dashes.
 * @param request the parsed body. Parts other than text do not count.
 */
export function promptSize(request: Readonly<Record<string, unknown>>): PromptSize {
  const messages = itemsOf(request["messages"]).map(fieldsOf);
  const texts = messages.flatMap((message) => textsOf(message["content"]));
  const tools = itemsOf(request["tools"]);
  const characters = texts.reduce((sum, text) => sum + charactersOf(text), 0);
  const bytes = [
    ...texts.map((text) => Buffer.byteLength(text)),
    ...messages.map(otherFieldsBytes),
    tools.length === 0 ? 0 : jsonBytes(tools) + TOOL_PROMPT_TOKENS,
    jsonBytes(request["response_format"]),
  ];
  return {
    leastTokens: Math.floor(characters / CHARACTERS_PER_TOKEN),
    mostTokens: bytes.reduce(
      (sum, count) => sum + count,
      TEMPLATE_TOKENS + TOKENS_PER_MESSAGE * messages.length,
    ),
  };
}

function textsOf(content: unknown): string[] {
  if (typeof content === "string") return [content];
  return itemsOf(content)
    .map((part) => fieldsOf(part)["text"])
    .filter((text) => typeof text === "string");
}

/** UTF-16 code units; a run of the same one counts once. */
function charactersOf(text: string): number {
  let characters = 0;
  let previous = NaN;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit !== previous) characters++;
    previous = unit;
  }
  return characters;
}

/** Calls of tools, reasoning, names: all of it may be put before the model. */
function otherFieldsBytes({
  role: _role,
  content: _content,
  ...others
}: Readonly<Record<string, unknown>>): number {
  return Object.keys(others).length === 0 ? 0 : jsonBytes(others);
}

function jsonBytes(value: unknown): number {
  return value == null ? 0 : Buffer.byteLength(JSON.stringify(value));
}
