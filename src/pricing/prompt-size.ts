import { type JsonObject, readFields, readItems } from "../json-values.ts";
import { createRenderBudget, boundRenderedTokens } from "./rendered-size.ts";
import { boundReserializedTokens } from "./reserialized-size.ts";
import { measureSmallText, measureText } from "./text-size.ts";

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

/** A value that contains a JSON schema, and the document that each `$ref` in it refers to. */
export interface SchemaPart {
  readonly value: unknown;
  readonly document: unknown;
}

/** The parts of a request that can take more tokens than their bytes in the body. */
export interface PromptParts {
  /** Number of messages, or other texts, that a template surrounds with marks. */
  readonly messages: number;
  /** Tools and response formats. */
  readonly schemas: readonly SchemaPart[];
  /** Arguments and results of tool calls, as JSON texts or parsed. */
  readonly callValues: readonly unknown[];
  /** Number of instructions that a provider adds, such as those for tools or a response format. */
  readonly instructions: number;
  /** Length of encrypted text, such as reasoning, in addition to its bytes in the body. */
  readonly encryptedBytes: number;
  /** Bytes of the body that are sent to the model again, such as the query for each document of a rerank request. */
  readonly repeatedBytes: number;
  /** Whether parts of the body are ASCII, but may represent text that is not. */
  readonly isOpaque: boolean;
}

/** Maximum number of prompt tokens. */
export type PromptBound = Omit<PromptSize, "minTokens">;

/**
 * Bounds the tokens of a prompt without a tokenizer.
 *
 * The upper bound starts from the bytes of the whole body. A tokenizer that works on bytes produces at most one token for
 * each byte. It may normalize the text first, which can add bytes to characters that are not ASCII. The bound also includes the text that templates add, and
 * the JSON that providers print again (schemas, tool calls).
 * @param bytes the body. Parts other than text are not bounded.
 */
export function boundPromptTokens(bytes: Buffer, parts: PromptParts): PromptBound {
  const { escapingBytes, normalizingBytes, tokensPerByte } = measureText(bytes);
  const factor = Math.max(tokensPerByte, parts.isOpaque ? ENCRYPTED_FACTOR : 1);
  const text = bytes.length + escapingBytes + boundRendered(parts, !parts.isOpaque);
  const normalized = parts.isOpaque ? factor * text : text + normalizingBytes;
  const most = normalized + factor * parts.repeatedBytes + countExtraTokens(parts);
  return { maxTokens: toCount(most), tokensPerByte: factor };
}

/** Bounds the tokens of schemas, tool calls and their results as a provider may print them; NaN: unbounded. */
function boundRendered({ schemas, callValues }: PromptParts, isNormalized: boolean): number {
  return (
    sumUntilUnbounded([boundSchemas(schemas, isNormalized), boundCallValues(callValues, isNormalized)]) ?? NaN
  );
}

function countExtraTokens({ messages, instructions, encryptedBytes }: PromptParts): number {
  return (
    TEMPLATE_TOKENS +
    TOKENS_PER_MESSAGE * messages +
    INSTRUCTION_TOKENS * instructions +
    ENCRYPTED_FACTOR * encryptedBytes
  );
}

function toCount(tokens: number): number | null {
  return Number.isSafeInteger(tokens) ? tokens : null;
}

/** Bounds the tokens of a prompt that consists of texts only. */
export function boundPlainPromptTokens(bytes: Buffer, messages: number): number {
  const extra = TEMPLATE_TOKENS + TOKENS_PER_MESSAGE * messages;
  const escapingBytes = measureSmallText(bytes);
  if (escapingBytes !== undefined) return bytes.length + escapingBytes + extra;
  const measured = measureText(bytes);
  return bytes.length + measured.escapingBytes + measured.normalizingBytes + extra;
}

/**
 * Bounds the tokens of the prompt of a chat completion. The upper bound is simpler, and never lower, than that of
 * {@link boundPromptTokens}: it counts each byte of a body that is not ASCII as one that is not. The lower bound counts ASCII letters and digits, which no
 * normalization removes. A run of the same character counts once.
 * @param body the request. Parts other than text are not bounded.
 */
export function boundPromptSize({ fields, bytes }: RequestBody): PromptSize {
  const texts = readItems(fields["messages"]).flatMap((message) => listTexts(readFields(message)["content"]));
  const minTokens = Math.floor(countCharacters(texts) / CHARACTERS_PER_TOKEN);
  const parts = readChatParts(fields);
  const { escapingBytes, tokensPerByte } = measureText(bytes);
  const factor = Math.max(tokensPerByte, parts.isOpaque ? ENCRYPTED_FACTOR : 1);
  const text = bytes.length + escapingBytes + boundRendered(parts, false);
  return { minTokens, maxTokens: toCount(factor * text + countExtraTokens(parts)), tokensPerByte: factor };
}

/** Reads the parts of a chat completion request. */
export function readChatParts(fields: JsonObject): PromptParts {
  const messages = readItems(fields["messages"]).map(readFields);
  const format = fields["response_format"];
  const isText = (readFields(format)["type"] ?? "text") === "text";
  const lists = [readItems(fields["tools"]), readItems(fields["functions"])];
  return {
    ...NO_PARTS,
    messages: messages.length,
    schemas: [
      ...readItems(fields["tools"]).map((value) => ({
        value,
        document: readFields(readFields(value)["function"])["parameters"],
      })),
      ...readItems(fields["functions"]).map((value) => ({
        value,
        document: readFields(value)["parameters"],
      })),
      ...toFormatParts(format, readFields(readFields(format)["json_schema"])["schema"]),
    ],
    callValues: messages.flatMap(listCallTexts),
    instructions: (lists.some((list) => list.length > 0) ? 1 : 0) + (isText ? 0 : 1),
    isOpaque: messages.some((message) => message["reasoning_details"] != null),
  };
}

/** Returns the length of an encrypted text; 0 if the value is not a text. */
export function measureEncrypted(text: unknown): number {
  return typeof text === "string" ? text.length : 0;
}

/** Returns the response format of a request as a list; empty if it has none. */
export function toFormatParts(value: unknown, document: unknown): readonly SchemaPart[] {
  return value == null ? [] : [{ value, document }];
}

/** The parts of a request that has none. */
export const NO_PARTS: PromptParts = {
  messages: 0,
  schemas: [],
  callValues: [],
  instructions: 0,
  encryptedBytes: 0,
  repeatedBytes: 0,
  isOpaque: false,
};

/** In a body of up to this size, the prediction is measured. In a longer body, it is assumed to be as long as the body. */
const MEASURED_BYTES = 1_000_000;

/** Returns the maximum size of the `prediction` of a chat completion request as JSON; 0 if absent. */
export function boundPredictionBytes({ fields, bytes }: RequestBody): number {
  const { prediction } = fields;
  if (prediction == null) return 0;
  return bytes.length > MEASURED_BYTES ? bytes.length : Buffer.byteLength(JSON.stringify(prediction));
}

function* boundSchemas(schemas: readonly SchemaPart[], isNormalized: boolean): Iterable<number | undefined> {
  const budget = createRenderBudget(isNormalized);
  for (const { value, document } of schemas) yield boundRenderedTokens(value, document ?? {}, budget);
}

/** Bounds the JSON of tool calls and their results, because a provider may parse it and print it again. */
function* boundCallValues(values: readonly unknown[], isNormalized: boolean): Iterable<number | undefined> {
  let left = REPRINTED_CHARACTERS;
  const budget = createRenderBudget(isNormalized);
  for (const value of values)
    if (typeof value !== "string") yield value == null ? 0 : boundRenderedTokens(value, undefined, budget);
    else if (/^\s*[[{]/.test(value)) {
      left -= value.length;
      yield left < 0 ? undefined : boundReserializedTokens(value, isNormalized);
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

/** Lists the texts of the content of a message: a string, or parts with a `text`. */
export function listTexts(content: unknown): string[] {
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
