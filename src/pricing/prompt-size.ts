import { type JsonObject, readFields, readItems } from "../json-values.ts";
import { createRenderBudget, boundRenderedTokens } from "./rendered-size.ts";
import { boundReserializedTokens } from "./reserialized-size.ts";
import { measureText } from "./text-size.ts";

/** The body of a request, as bytes and parsed. */
export interface RequestBody {
  /** The parsed JSON of `bytes`. */
  readonly fields: JsonObject;
  readonly bytes: Buffer;
}

/** Bounds of the number of prompt tokens, including tools and response format. */
export interface PromptSize {
  readonly minTokens: number;
  /** null: unbounded, because of a schema or a tool call. */
  readonly maxTokens: number | null;
  /** Maximum number of tokens for one byte of the request. */
  readonly tokensPerByte: number;
}

/** Maximum length of a token in the known vocabularies. */
const CHARACTERS_PER_TOKEN = 128;
/** Tokens of the marks around a message, such as `<|im_start|>assistant<|im_sep|>`. */
const TOKENS_PER_MESSAGE = 16;
/**
 * Tokens that templates and providers add before the messages, such as the date and instructions for reasoning. Grok 4 was
 * observed to add 680.
 */
const TEMPLATE_TOKENS = 1024;
/** Tokens of a provider's instructions for tools or a response format. Anthropic documents up to about 800. */
const INSTRUCTION_TOKENS = 1024;
/**
 * Maximum characters of JSON in tool calls and their results. Measuring takes 4 ns per byte, and few models accept a million
 * tokens, so more characters count as unbounded.
 */
const REPRINTED_CHARACTERS = 4_000_000;
/** Tokens per byte of encrypted reasoning. Its plain text is unknown, so it counts as text that is not ASCII. */
const ENCRYPTED_FACTOR = 6;

/**
 * Bounds the tokens of a prompt without a tokenizer.
 *
 * The upper bound starts from the bytes of the whole body. A tokenizer that works on bytes produces at most one token for
 * each byte, or `tokensPerByte` if it normalizes the text first. The bound also includes the text that templates add, and
 * the JSON that providers print again (schemas, tool calls). The lower bound counts ASCII letters and digits, which no
 * normalization removes. A run of the same character counts once.
 * @param body the request. Parts other than text are not bounded.
 */
export function boundPromptSize({ fields, bytes }: RequestBody): PromptSize {
  const messages = readItems(fields["messages"]).map(readFields);
  const texts = messages.flatMap((message) => listTexts(message["content"]));
  const characters = countCharacters(texts);
  const hasReasoning = messages.some((message) => message["reasoning_details"] != null);
  const { escapingBytes, tokensPerByte } = measureText(bytes);
  const factor = Math.max(tokensPerByte, hasReasoning ? ENCRYPTED_FACTOR : 1);
  const rendered = sumUntilUnbounded([boundSchemas(fields), boundToolCalls(messages)]);
  const extra = TEMPLATE_TOKENS + TOKENS_PER_MESSAGE * messages.length + boundInstructionTokens(fields);
  const most = factor * (bytes.length + escapingBytes + (rendered ?? NaN)) + extra;
  return {
    minTokens: Math.floor(characters / CHARACTERS_PER_TOKEN),
    maxTokens: Number.isSafeInteger(most) ? most : null,
    tokensPerByte: factor,
  };
}

function boundInstructionTokens(fields: JsonObject): number {
  const format = readFields(fields["response_format"])["type"] ?? "text";
  const hasTools = [fields["tools"], fields["functions"]].some((tools) => readItems(tools).length > 0);
  return (hasTools ? INSTRUCTION_TOKENS : 0) + (format === "text" ? 0 : INSTRUCTION_TOKENS);
}

function* boundSchemas(fields: JsonObject): Iterable<number | undefined> {
  const budget = createRenderBudget();
  const boundTokens = (value: unknown, document: unknown): number | undefined =>
    boundRenderedTokens(value, document ?? {}, budget);
  for (const tool of readItems(fields["tools"]))
    yield boundTokens(tool, readFields(readFields(tool)["function"])["parameters"]);
  for (const one of readItems(fields["functions"])) yield boundTokens(one, readFields(one)["parameters"]);
  const format = fields["response_format"];
  if (format != null) yield boundTokens(format, readFields(readFields(format)["json_schema"])["schema"]);
}

/** Bounds the JSON strings of tool calls and their results, because a provider may parse them and print them again. */
function* boundToolCalls(messages: readonly JsonObject[]): Iterable<number | undefined> {
  let left = REPRINTED_CHARACTERS;
  const budget = createRenderBudget();
  for (const message of messages)
    for (const value of listCallTexts(message)) {
      if (typeof value !== "string") yield value == null ? 0 : boundRenderedTokens(value, undefined, budget);
      else if (/^\s*[[{]/.test(value)) {
        left -= value.length;
        yield left < 0 ? undefined : boundReserializedTokens(value);
      }
    }
}

function listCallTexts(message: JsonObject): unknown[] {
  const calls = readItems(message["tool_calls"]).map((call) => readFields(readFields(call)["function"]));
  const values = [...calls, readFields(message["function_call"])].map((call) => call["arguments"]);
  const isResult = message["role"] === "tool" || message["role"] === "function";
  return isResult ? values.concat(listTexts(message["content"])) : values;
}

/** Sums the counts of all lists. Stops at the first unbounded count, and then returns undefined. */
function sumUntilUnbounded(lists: readonly Iterable<number | undefined>[]): number | undefined {
  let sum = 0;
  for (const counts of lists)
    for (const count of counts) {
      if (count === undefined) return undefined;
      sum += count;
    }
  return sum;
}

function listTexts(content: unknown): string[] {
  if (typeof content === "string") return [content];
  return readItems(content)
    .map((part) => readFields(part)["text"])
    .filter((text) => typeof text === "string");
}

/**
 * Maximum number of characters to count for the lower bound. They are at least 31,250 tokens. Counting more characters would
 * raise the lower bound, but is not worth the time.
 */
const COUNTED_CHARACTERS = 4_000_000;

/** Counts ASCII letters and digits in the first four million characters. A run of the same character counts once. */
function countCharacters(texts: readonly string[]): number {
  let characters = 0;
  let left = COUNTED_CHARACTERS;
  for (const text of texts) {
    const end = Math.min(text.length, left);
    left -= end;
    let previous = NaN;
    for (let at = 0; at < end; at++) {
      const unit = text.charCodeAt(at);
      if (unit !== previous && isAlphanumeric(unit)) characters++;
      previous = unit;
    }
  }
  return characters;
}

function isAlphanumeric(unit: number): boolean {
  const lower = unit | 0x20;
  return (unit >= 0x30 && unit <= 0x39) || (lower >= 0x61 && lower <= 0x7a);
}
