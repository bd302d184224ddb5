import { bill, type Choices, type Endpoint, type Json, PRINTERS, TOKENIZERS } from "./reference-biller.ts";

/** The fields of a chat completion that determine the bill of a request to another endpoint. */
type ToChat = (request: Json) => Json;

const list = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value == null ? [] : [value];
const fieldsOf = (value: unknown): Json =>
  typeof value === "object" && value !== null ? (value as Json) : {};

/** Joins every text in a JSON value. */
function joinTexts(value: unknown): string {
  if (typeof value === "string") return `${value}\n`;
  if (typeof value !== "object" || value === null) return "";
  return Object.values(value).map(joinTexts).join("");
}

const toMessages = (values: readonly unknown[]): Json[] =>
  values.map((value) => ({ role: "user", content: joinTexts(value) }));

/** Lists tools, including those in namespaces, with their schema in the member `parameters`. */
function listTools(tools: unknown): Json[] {
  return list(tools)
    .map(fieldsOf)
    .flatMap((tool) => {
      if (Array.isArray(tool["tools"])) return listTools(tool["tools"]);
      const { input_schema: parameters, ...others } = tool;
      return [parameters === undefined ? tool : { ...others, parameters }];
    });
}

const toFormat = (format: unknown): Json => {
  const { schema } = fieldsOf(format);
  return schema === undefined ? {} : { response_format: { type: "json_schema", json_schema: { schema } } };
};

const TO_CHAT: Readonly<Record<string, ToChat>> = {
  "chat/completions": (request) => request,
  completions: (request) => {
    const { prompt, suffix, echo, n = 1, best_of: bestOf = 1 } = request;
    const prompts = typeof prompt === "string" ? [prompt] : list(prompt);
    const perPrompt = Math.max(Number(n), Number(bestOf));
    return {
      ...request,
      messages: toMessages([...prompts, suffix]),
      n: perPrompt * prompts.length,
      ...(echo === true && { prediction: { content: joinTexts(prompts) } }),
    };
  },
  responses: (request) => ({
    ...request,
    messages: toMessages([request["instructions"], ...list(request["input"])]),
    max_tokens: request["max_output_tokens"],
    tools: listTools(request["tools"]),
    ...toFormat(fieldsOf(request["text"])["format"]),
  }),
  messages: (request) => {
    const { budget_tokens: budget } = fieldsOf(request["thinking"]);
    return {
      ...request,
      messages: toMessages([request["system"], ...list(request["messages"])]),
      tools: listTools(request["tools"]),
      ...(budget !== undefined && { reasoning: { max_tokens: budget } }),
      ...toFormat(request["output_format"]),
    };
  },
};

const countTokens = (text: unknown): number =>
  typeof text === "string"
    ? Math.max(...GREEDY_TOKENIZERS.map((tokenizer) => tokenizer(text)))
    : typeof text === "number"
      ? 1
      : list(text).reduce<number>((sum, one) => sum + countTokens(one), 0);

const DOCUMENT_TOKENS = 500;
const DOCUMENTS_PER_UNIT = 100;

/** Bills an embeddings request by its tokens; a rerank request by its tokens, with the query once for each document, and by units. */
function billInput(path: string, request: Json, { prompt, request: perRequest }: Endpoint): number {
  if (path === "embeddings") return prompt * countTokens(request["input"]);
  const query = countTokens(request["query"]);
  const documents = list(request["documents"]).map((one) => countTokens(fieldsOf(one)["text"] ?? one));
  const tokens = documents.reduce((sum, document) => sum + query + document, 0);
  const parts = documents.reduce((sum, document) => sum + Math.ceil((query + document) / DOCUMENT_TOKENS), 0);
  return prompt * tokens + perRequest * Math.ceil(parts / DOCUMENTS_PER_UNIT);
}

/** The tokenizers that produce the most tokens. */
const GREEDY_TOKENIZERS = [TOKENIZERS["bytes"], TOKENIZERS["nfkcBytes"], TOKENIZERS["nfkdBytes"]].filter(
  (tokenizer) => tokenizer !== undefined,
);

function* listChoices(hasTtl: boolean, endpoints: number): Iterable<Choices> {
  const cache = hasTtl ? "longWrite" : "write";
  for (const tokenizer of GREEDY_TOKENIZERS)
    for (const printer of Object.values(PRINTERS))
      for (let endpoint = 0; endpoint < endpoints; endpoint++)
        yield { tokenizer, printer, endpoint, fill: 1, reasoningOnTop: true, largerLimit: true, cache };
}

/**
 * Returns the highest bill in nanodollars of any provider for a request, which generates as many tokens as it may.
 * @param path the endpoint, such as `messages`. @param endpoints those of the model that may serve the request.
 * @returns 0 if none of the endpoints serves the request.
 */
export function billGreedily(path: string, request: Json, endpoints: readonly Endpoint[]): number {
  const toChat = TO_CHAT[path];
  if (!toChat) return Math.ceil(Math.max(...endpoints.map((one) => billInput(path, request, one))));
  const chat = toChat(request);
  const hasTtl = JSON.stringify(request).includes('"ttl":');
  let most = 0;
  for (const choices of listChoices(hasTtl, endpoints.length))
    most = Math.max(most, bill(chat, endpoints, choices) ?? 0);
  return Math.ceil(most);
}
