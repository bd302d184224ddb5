import { MODEL_NAME_MAX_CHARACTERS, MODELS_MAX } from "../request/model-limits.ts";

// The fields of requests to models that the gateway validates. It forwards all others without a look at them, and OpenRouter's
// reference describes them. test/admin/api-request-bodies.test.ts compares the fields with the schemas that validate requests.

type JsonSchema = Readonly<Record<string, unknown>>;
type Fields = Readonly<Record<string, JsonSchema>>;

interface Bounds {
  readonly minimum?: number;
  readonly maximum?: number;
}

const text = (description: string, bounds: JsonSchema = {}): JsonSchema => ({
  type: ["string", "null"],
  description,
  ...bounds,
});
const flag = (description: string): JsonSchema => ({ type: ["boolean", "null"], description });
const number = (description: string, minimum: number, maximum: number): JsonSchema => ({
  type: ["number", "null"],
  description,
  minimum,
  maximum,
});
const integer = (description: string, bounds: Bounds = { minimum: 0 }): JsonSchema => ({
  type: ["integer", "null"],
  description,
  ...bounds,
});
const object = (description: string): JsonSchema => ({ type: ["object", "null"], description });
const list = (description: string, items: JsonSchema = {}, bounds: JsonSchema = {}): JsonSchema => ({
  type: ["array", "null"],
  description,
  items,
  ...bounds,
});
const textOr = (other: string, description: string): JsonSchema => ({
  type: ["string", other, "null"],
  ...(other === "array" && { items: {} }),
  description,
});

const NAME = { maxLength: MODEL_NAME_MAX_CHARACTERS };
const RESERVED = "hard budgets reserve money for this many, so a bound lets more requests fit in";

const MODEL: Fields = {
  model: text(
    "Id of the model, such as openai/gpt-4o-mini, or an alias. The prefix openrouter/ is optional. The key must allow the model",
    NAME,
  ),
  models: list(
    "Ids of models that OpenRouter tries in this order. The key must allow each",
    { type: "string", ...NAME },
    { maxItems: MODELS_MAX },
  ),
  preset: text(
    "Name of a preset of the OpenRouter account. The key must allow it, because it may choose the model",
    NAME,
  ),
};
/** For endpoints that require the field `model`. */
const REQUIRED_MODEL: Fields = { ...MODEL, model: { ...MODEL["model"], type: "string" } };
const PROVIDER: Fields = {
  provider: object("Choice of providers. The gateway reads max_price, which bounds the cost of the request"),
};
const USER: Fields = {
  user: text("The end user, to whom the gateway assigns the request if the settings of the key say so"),
};
const ROUTING: Fields = {
  ...MODEL,
  ...PROVIDER,
  ...USER,
  stream: flag("true: the response is a stream of server-sent events"),
  route: text("How OpenRouter chooses among several models, such as fallback"),
  plugins: list(
    "OpenRouter's plugins, such as web. The gateway checks the models that they name, and hard budgets refuse those without a bound on the cost",
    { type: "object" },
  ),
  transforms: list("OpenRouter's changes of long prompts, such as middle-out", { type: "string" }),
  service_tier: text("The provider's tier of service, which can change the price"),
  session_id: text("OpenRouter's id of the session. The gateway's ledger takes the session from headers", {
    maxLength: 256,
  }),
  metadata: object("Texts by name, for OpenRouter's and the provider's records"),
  trace: object("Names for OpenRouter's traces of the request"),
  cache_control: object("Point up to which the provider caches the prompt"),
  debug: object("Options for debugging, such as echo_upstream_body"),
};
const SAMPLING: Fields = {
  temperature: number("Randomness of the choice of tokens", 0, 2),
  top_p: number("Only the likeliest tokens that together have this probability", 0, 1),
  top_k: integer("Only this many of the likeliest tokens; 0: all"),
  min_p: number("Only tokens of at least this probability, relative to the likeliest", 0, 1),
  top_a: number("As min_p, relative to the square of the likeliest token's probability", 0, 1),
  frequency_penalty: number("Penalty of tokens in proportion to their number in the text", -2, 2),
  presence_penalty: number("Penalty of tokens that are in the text already", -2, 2),
  repetition_penalty: number("Factor against repeated tokens; 1: none", 0, 2),
};
const COMPLETION: Fields = {
  ...SAMPLING,
  seed: integer("Seed of the random choice, for repeatable responses", {}),
  max_tokens: integer(`Highest number of tokens of the response; ${RESERVED}`),
  n: integer("Number of responses; hard budgets reserve money for each", { minimum: 1 }),
  logit_bias: object("Changes of the likelihood of tokens, by the token's id"),
  stop: {
    type: ["string", "array", "null"],
    items: { type: "string" },
    maxItems: 4,
    description: "The response ends before this text, or before one of up to 4 texts",
  },
  stream_options: object("Options of a stream. OpenRouter states the usage even without include_usage"),
};
const REASONING = object("Effort or highest number of tokens of the reasoning, and whether it is returned");
const TOOL_CHOICE = textOr("object", "none, auto, required, or the tool that must be called");
const PARALLEL_TOOL_CALLS = flag("Whether the model may call several tools at once");
const TOOLS = list(
  "The tools that the model may call. Hard budgets refuse OpenRouter's server tools without a bound on their cost",
  { type: "object" },
);
const MODALITIES = list("Kinds of output, such as text and image", { type: "string" });
const IMAGE_CONFIG = object("Options of generated images");
const TOP_LOGPROBS = integer("Number of alternatives per token with their log probabilities", {
  minimum: 0,
  maximum: 20,
});

/** Required fields and all fields by endpoint, as the ledger names the endpoints. */
export const REQUEST_FIELDS: Readonly<
  Record<string, { readonly required: readonly string[]; readonly fields: Fields }>
> = {
  "chat/completions": {
    required: ["messages"],
    fields: {
      ...ROUTING,
      messages: {
        type: "array",
        items: { type: "object" },
        minItems: 1,
        description:
          "The conversation: objects with a role and a content, which is a text or a list of parts",
      },
      ...COMPLETION,
      max_completion_tokens: integer(`Highest number of tokens of the response; ${RESERVED}`),
      logprobs: flag("Whether the response has the log probabilities of its tokens"),
      top_logprobs: TOP_LOGPROBS,
      tools: TOOLS,
      tool_choice: TOOL_CHOICE,
      parallel_tool_calls: PARALLEL_TOOL_CALLS,
      response_format: object("Format of the response, such as {type: json_schema}"),
      reasoning: REASONING,
      reasoning_effort: text("Effort of the reasoning, such as low, medium or high"),
      modalities: MODALITIES,
      image_config: IMAGE_CONFIG,
      prediction: object("The expected text of the response"),
    },
  },
  completions: {
    required: [],
    fields: {
      ...ROUTING,
      prompt: textOr("array", "The text to continue, or a list of texts, of tokens, or of lists of tokens"),
      ...COMPLETION,
      suffix: text("The text after the completion"),
      echo: flag("Whether the response begins with the prompt"),
      best_of: integer("Number of completions of which the best is returned; each is billed"),
      logprobs: integer("Number of alternatives per token with their log probabilities"),
    },
  },
  responses: {
    required: [],
    fields: {
      ...ROUTING,
      input: textOr("array", "A text, or a list of messages, tool calls, tool results and other items"),
      instructions: text("The system prompt"),
      max_output_tokens: integer(`Highest number of tokens of the response; ${RESERVED}`),
      max_tool_calls: integer("Highest number of calls of server tools"),
      ...SAMPLING,
      top_logprobs: TOP_LOGPROBS,
      include: list("Further data in the response, such as reasoning.encrypted_content", { type: "string" }),
      tools: TOOLS,
      tool_choice: TOOL_CHOICE,
      parallel_tool_calls: PARALLEL_TOOL_CALLS,
      reasoning: REASONING,
      text: object("Format of the text of the response, such as {format: {type: json_schema}}"),
      modalities: MODALITIES,
      image_config: IMAGE_CONFIG,
      prompt: object("A stored prompt, by its id"),
      prompt_cache_key: text("Requests with the same key share the provider's cache of prompts"),
      safety_identifier: text("Id of the end user for the provider's detection of abuse"),
      background: flag("Whether the response is created in the background"),
      store: flag("Whether the provider stores the response"),
    },
  },
  messages: {
    required: ["model", "messages"],
    fields: {
      ...ROUTING,
      ...REQUIRED_MODEL,
      user: text("OpenRouter's id of the end user; the gateway reads metadata.user_id"),
      metadata: object(
        "user_id names the end user, to whom the gateway assigns the request if the settings of the key say so",
      ),
      fallbacks: list(
        "Objects with a model, which OpenRouter tries in this order. The key must allow each model",
        { type: "object" },
        { maxItems: MODELS_MAX },
      ),
      messages: list(
        "The conversation: objects with a role and a content, which is a text or a list of blocks",
        {
          type: "object",
        },
      ),
      system: textOr("array", "The system prompt: a text or a list of blocks"),
      max_tokens: integer(`Highest number of tokens of the response; ${RESERVED}`),
      temperature: SAMPLING["temperature"] ?? {},
      top_p: SAMPLING["top_p"] ?? {},
      top_k: SAMPLING["top_k"] ?? {},
      stop_sequences: list("The response ends before one of these texts", { type: "string" }),
      thinking: object("Whether the model thinks before it responds, and with how many tokens"),
      tools: TOOLS,
      tool_choice: object("auto, any, none, or the tool that must be called, as {type: ...}"),
      output_config: object("Format and effort of the response"),
      context_management: object("Edits of the conversation by the provider, such as removed tool results"),
      speed: text("fast: the fast mode of the model, which has a higher price"),
    },
  },
  embeddings: {
    required: ["model", "input"],
    fields: {
      ...REQUIRED_MODEL,
      input: {
        type: ["string", "array"],
        items: {},
        description: "A text, or a list of texts, of tokens, of lists of tokens, or of objects",
      },
      input_type: text("Purpose of the embeddings, such as search_query"),
      encoding_format: text("float or base64"),
      dimensions: integer("Number of dimensions of each embedding", { minimum: 1 }),
      ...USER,
      ...PROVIDER,
    },
  },
  rerank: {
    required: ["model", "query", "documents"],
    fields: {
      ...REQUIRED_MODEL,
      query: { type: "string", description: "The text to which the documents are compared" },
      documents: {
        type: "array",
        items: { type: ["string", "object"] },
        minItems: 1,
        description: "Texts, or objects with a text",
      },
      top_n: integer("Number of the most relevant documents in the response", { minimum: 1 }),
      ...PROVIDER,
    },
  },
};
