import { type JsonObject, readFields, readItems } from "../json-values.ts";
import { createRenderBudget, boundRenderedTokens } from "./rendered-size.ts";
import { boundReserializedTokens } from "./reserialized-size.ts";
import { measureText } from "./text-size.ts";

/** A request as it is forwarded. */
export interface RequestBody {
  /** The parsed JSON of `bytes`. */
  readonly fields: JsonObject;
  readonly bytes: Buffer;
}

/** How many tokens the text of a prompt may be, tools and answer format included. */
export interface PromptSize {
  readonly minTokens: number;
  /** null: a schema expands without a bound. */
  readonly maxTokens: number | null;
  /** The most tokens that a byte of the request can become. */
  readonly tokensPerByte: number;
}

/** The longest tokens that vocabularies have are of 128 characters. */
const CHARACTERS_PER_TOKEN = 128;
/** Marks around a message, as `<|im_start|>assistant<|im_sep|>`. */
const TOKENS_PER_MESSAGE = 16;
/** What templates and providers say before the caller's messages: the date, how to reason; Grok 4 has been seen with 680. */
const TEMPLATE_TOKENS = 1024;
/** What providers tell a model about tools, or about the format of its answer; Anthropic documents up to some 800 tokens. */
const INSTRUCTION_TOKENS = 1024;
/** More JSON in calls of tools and their results has no bound: few models read a million tokens, and it takes 4 ns a byte. */
const REPRINTED_CHARACTERS = 4_000_000;
/** Encrypted reasoning is counted like text that is not ASCII: what it decrypts to is not known. */
const ENCRYPTED_FACTOR = 6;

/**
 * Bounds the tokens of a prompt without a tokenizer.
 *
 * A tokenizer that works on bytes makes at most one token of each, or `tokensPerByte` where it normalises the text first,
 * so the bytes of the whole body are the base of the upper bound. What providers print again (schemas, calls of tools)
 * and the templates' own text come on top. The lower bound counts ASCII letters and digits, which no normalisation
 * removes, a run of the same one once.
 * @param body parts other than text do not count.
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

/** Calls of tools and their results: JSON in a string, which a provider may parse and print in its own way. */
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

/** Ends at the first that has no bound. */
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

/** Counting more would take longer than it raises the lower bound: these are 31,250 tokens. */
const COUNTED_CHARACTERS = 4_000_000;

/** ASCII letters and digits; a run of the same one counts once. Of long texts the first four million characters. */
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
