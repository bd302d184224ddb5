/** An endpoint of the gateway that calls a model, with the requests that test programs send to it. */
export interface ModelEndpoint {
  /** Path below the base path, and the name of the endpoint in the ledger. */
  readonly path: string;
  readonly streams: boolean;
  /** Models of the simulator that respond without a fault. */
  readonly models: readonly string[];
  /** Builds the fields that contain a text. */
  readonly buildInput: (text: string) => Readonly<Record<string, unknown>>;
}

const GENERATES = {
  streams: true,
  models: ["openai/gpt-4o-mini", "openrouter/google/gemini-3-flash-preview", "openai/gpt-4o"],
};
const buildMessages = (content: string) => [{ role: "user", content }];

/** Every endpoint that calls a model. A test compares this list with the gateway's table. */
export const MODEL_ENDPOINTS: readonly ModelEndpoint[] = [
  {
    ...GENERATES,
    path: "chat/completions",
    buildInput: (text) => ({ messages: buildMessages(text) }),
  },
  { ...GENERATES, path: "completions", buildInput: (prompt) => ({ prompt }) },
  { ...GENERATES, path: "responses", buildInput: (input) => ({ input }) },
  {
    ...GENERATES,
    path: "messages",
    buildInput: (text) => ({ max_tokens: 1_000, messages: buildMessages(text) }),
  },
  {
    path: "embeddings",
    streams: false,
    models: ["openai/text-embedding-3-small", "openrouter/google/gemini-embedding-001"],
    buildInput: (text) => ({ input: [text, "Rubin"], dimensions: 64 }),
  },
  {
    path: "rerank",
    streams: false,
    models: ["voyageai/rerank-2.5-lite"],
    buildInput: (text) => ({ query: "what is ruby", documents: [text, "Ruby is a language"] }),
  },
];

/** Builds a request to an endpoint. @param fields add to its fields; `stream` is omitted if the endpoint never streams. */
export function buildModelBody(
  { streams, models, buildInput }: ModelEndpoint,
  { text = "Hello", stream = false, ...fields }: Readonly<Record<string, unknown>> & ModelBody = {},
): string {
  const model = models[0] ?? "";
  return JSON.stringify({ model, ...(streams && { stream }), ...buildInput(text), ...fields });
}

interface ModelBody {
  readonly text?: string;
  readonly stream?: boolean;
}
