/**
 * A model of how OpenRouter and its providers bill a chat completion, as a reference for estimates. It imports
 * nothing from `src/pricing`. Its tokenizers, templates and prices are the worst cases of their kinds.
 */

export type Json = Readonly<Record<string, unknown>>;

/** Returns the number of tokens of a text. */
type Tokenizer = (text: string) => number;

/** Counts one token per byte. */
const bytes: Tokenizer = (text) => Buffer.byteLength(text);

export const TOKENIZERS: Readonly<Record<string, Tokenizer>> = {
  bytes,
  /** NFKC turns U+FDFA into 18 characters, which have 33 bytes together. */
  nfkcBytes: (text) => bytes(text.normalize("NFKC")),
  nfkdBytes: (text) => bytes(text.normalize("NFKD")),
  nfdCodePoints: (text) => Array.from(text.normalize("NFD")).length,
  nfcBytes: (text) => bytes(text.normalize("NFC")),
  uncasedBytes: (text) => bytes(text.toLowerCase().normalize("NFKD")),
  /**
   * SentencePiece with byte fallback: one token before the text, one for each known character, and one for each byte of an
   * unknown character.
   */
  byteFallback: (text) =>
    1 +
    Array.from(text.normalize("NFKC")).reduce(
      (sum, character) => sum + (/[\w\s]/.test(character) ? 1 : bytes(character)),
      0,
    ),
  /** Counts only letters and digits, in tokens of 128 characters: the longest tokens of any vocabulary. */
  long: (text) => Math.ceil(text.replaceAll(/[^A-Za-z0-9]/g, "").length / 128),
};

/** Formats a tool or a schema for the model. */
type Printer = (value: unknown) => string;

export const PRINTERS: Readonly<Record<string, Printer>> = {
  compact: (value) => JSON.stringify(value),
  pretty: (value) => JSON.stringify(value, null, 4),
  xml: (value) => xml("tool", value, 0),
  typescript: (value) => `namespace functions {\n${typescript(value, 1)}\n} // namespace functions`,
};

function xml(tag: string, value: unknown, depth: number): string {
  const pad = "    ".repeat(depth);
  if (typeof value !== "object" || value === null)
    return `${pad}<${tag}>${escaped(String(value))}</${tag}>\n`;
  const items = Array.isArray(value)
    ? value.map((item: unknown) => ["item", item] as const)
    : Object.entries(value);
  return `${pad}<${tag}>\n${items.map(([key, item]) => xml(escaped(key), item, depth + 1)).join("")}${pad}</${tag}>\n`;
}

function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    '"': "&quot;",
    "'": "&apos;",
  };
  return text.replaceAll(/[<>&"']/g, (one) => entities[one] ?? one);
}

function typescript(value: unknown, depth: number): string {
  const pad = "    ".repeat(depth);
  if (typeof value === "string")
    return value
      .split("\n")
      .map((line) => `${pad}// ${line}`)
      .join("\n");
  if (typeof value !== "object" || value === null) return `${pad}${String(value)},`;
  const lines = Object.entries(value).map(
    ([key, item]) => `${pad}${key}?: {\n${typescript(item, depth + 1)}\n${pad}},`,
  );
  return lines.join("\n");
}

/** Inserts the target of each `$ref`, as providers without support for references do. */
function inlineReferences(value: unknown, root: unknown = value, budget = { left: 2_000_000 }): unknown {
  if (--budget.left < 0) throw new RangeError("the references of the schema never end");
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => inlineReferences(item, root, budget));
  const { $ref } = value as Json;
  const target =
    typeof $ref === "string"
      ? $ref
          .split("/")
          .slice(1)
          .reduce((at: unknown, step) => (at as Json)[step], root)
      : undefined;
  const own = Object.entries(value).map(([key, item]) => [key, inlineReferences(item, root, budget)]);
  return {
    ...Object.fromEntries(own),
    ...((target as Json | undefined) && { resolved: inlineReferences(target, root, budget) }),
  };
}

/** Choices that OpenRouter or a provider makes for a request. */
export interface Choices {
  readonly tokenizer: Tokenizer;
  readonly printer: Printer;
  /** Index of the endpoint among those that can serve the request. */
  readonly endpoint: number;
  /** Length of the completion as a fraction of the longest possible completion, from 0 to 1. */
  readonly fill: number;
  /** Whether reasoning tokens are billed in addition to `max_tokens`. Otherwise they count towards it. */
  readonly reasoningOnTop: boolean;
  /** Whether the larger limit applies if a request has both `max_tokens` and `max_completion_tokens`. */
  readonly largerLimit: boolean;
  readonly cache: "none" | "read" | "write" | "longWrite" | "response";
}

/** Prices of an endpoint, in nanodollars per token or per request. */
export interface Endpoint {
  readonly tag: string;
  readonly prompt: number;
  readonly completion: number;
  readonly request: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  /** Price of a cache entry that is kept for an hour, for requests with `ttl`; undefined: the same as `cacheWrite`. */
  readonly longCacheWrite?: number;
  readonly reasoning: number;
  /** Prices of prompts of more than `from` tokens. */
  readonly long: { readonly from: number; readonly prompt: number; readonly completion: number };
  readonly discountPercent: number;
  readonly contextTokens: number;
  readonly maxCompletionTokens: number;
  readonly supportsReasoning: boolean;
}

/** Returns the cost in nanodollars, not rounded; undefined if OpenRouter rejects the request. */
export function bill(request: Json, endpoints: readonly Endpoint[], choices: Choices): number | undefined {
  const candidates = endpoints.filter((endpoint) => serves(endpoint, request));
  const endpoint = candidates[choices.endpoint % candidates.length];
  if (!endpoint) return undefined;
  if (choices.cache === "response") return 0;
  const promptTokens = choices.tokenizer(promptText(request, choices.printer));
  const isLong = promptTokens > endpoint.long.from;
  const completionPrice = isLong ? endpoint.long.completion : endpoint.completion;
  const { output, reasoning } = countCompletion(request, endpoint, choices);
  const n = Number(request["n"] ?? 1);
  const prompt =
    promptTokens * promptPrice(endpoint, isLong ? endpoint.long.prompt : endpoint.prompt, choices.cache);
  const sum = prompt + n * (output * completionPrice + reasoning * endpoint.reasoning) + endpoint.request;
  return (sum * (100 - endpoint.discountPercent)) / 100;
}

function serves(endpoint: Endpoint, request: Json): boolean {
  const { tag } = endpoint;
  const { only, max_price: max = {} } = (request["provider"] ?? {}) as { only?: string[]; max_price?: Json };
  // Service tiers have slugs of their own. Without a slug, `:nitro` and `sort` may select any endpoint.
  if (only && !only.some((slug) => tag === slug || tag.split("/")[0] === slug)) return false;
  const within = (price: number, limit: unknown, unit: number): boolean =>
    limit == null || price / unit <= Number(limit);
  return (
    within(endpoint.prompt, max["prompt"], 1000) &&
    within(endpoint.completion, max["completion"], 1000) &&
    within(endpoint.request, max["request"], 1e9)
  );
}

function promptPrice(
  { cacheRead, cacheWrite, longCacheWrite = cacheWrite }: Endpoint,
  price: number,
  cache: Choices["cache"],
): number {
  if (cache === "read") return Math.min(price, cacheRead);
  if (cache === "none") return price;
  if (cache === "longWrite") return longCacheWrite;
  // A price of cache writes that is below the prompt's price is a price of storage, and is charged in addition to the prompt.
  return cacheWrite < price ? price + cacheWrite : cacheWrite;
}

function promptText(request: Json, print: Printer): string {
  const messages = (request["messages"] ?? []) as Json[];
  const schemas = [...((request["tools"] ?? []) as Json[]), ...((request["functions"] ?? []) as Json[])];
  const format = request["response_format"] as Json | undefined;
  if (format) schemas.push(format);
  const printed = schemas.map((entry) => {
    const { parameters } = (entry["function"] ?? entry) as Json;
    const schema = parameters ?? ((entry["json_schema"] ?? {}) as Json)["schema"];
    return print(inlineReferences(entry, schema));
  });
  const texts = messages.map(({ role, content, tool_calls: calls = [] }) => {
    const parts =
      typeof content === "string"
        ? [content]
        : ((content ?? []) as Json[]).map((part) => String(part["text"]));
    const printedCalls = (calls as { function: { arguments: string } }[]).map((call) =>
      print(JSON.parse(call.function.arguments)),
    );
    return `<|start|>${String(role)}<|sep|>${[...parts, ...printedCalls].join("\n")}<|end|>`;
  });
  return [...printed, ...texts].join("");
}

/** Counts the billed output tokens and reasoning tokens of the completion. */
function countCompletion(
  request: Json,
  endpoint: Endpoint,
  choices: Choices,
): { output: number; reasoning: number } {
  const limits = [request["max_tokens"], request["max_completion_tokens"]].filter(
    (limit) => typeof limit === "number",
  );
  const chosen = choices.largerLimit ? Math.max(...limits) : Math.min(...limits);
  const limit = Math.min(limits.length > 0 ? Math.max(16, chosen) : Infinity, endpoint.maxCompletionTokens);
  const predicted = request["prediction"] as { content: string } | undefined;
  const rejected = predicted ? choices.tokenizer(predicted.content) : 0;
  const output = Math.floor(limit * choices.fill);
  const { max_tokens: budget } = (request["reasoning"] ?? {}) as { max_tokens?: number };
  if (!endpoint.supportsReasoning) return { output: output + rejected, reasoning: 0 };
  const reasoning = Math.floor(choices.fill * Math.max(1024, budget ?? limit));
  const room = endpoint.contextTokens;
  if (!choices.reasoningOnTop) return { output: rejected, reasoning: Math.min(output, room) };
  return {
    output: Math.min(output, Math.max(0, room - reasoning)) + rejected,
    reasoning: Math.min(reasoning, room),
  };
}
