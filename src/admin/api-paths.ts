// What /openai/v1 and the health checks take and give, for the description of the API. Chat completions are OpenRouter's:
// their bodies pass as they are, so it is OpenRouter's documentation that describes them.

import { MODEL_FILTERS } from "../endpoints/model-query.ts";

const OPENROUTER = "https://openrouter.ai/docs/api-reference/chat-completion";

const describeJson = (description: string) => ({
  description,
  content: { "application/json": { schema: { type: "object" } } },
});
const ERROR_RESPONSE = describeJson("An error in OpenAI's shape: {error: {message, type, param, code}}");
const describeResponses = (description: string) => ({
  "200": describeJson(description),
  "4XX": ERROR_RESPONSE,
  "5XX": ERROR_RESPONSE,
});

/** Path items of OpenAPI 3.1. */
export const API_PATHS = {
  "/openai/v1/chat/completions": {
    post: {
      tags: ["models"],
      summary: "A chat completion, streamed or not",
      description: `The body goes to OpenRouter as it is, but for an optional openrouter/ before model names: ${OPENROUTER}`,
      parameters: [
        {
          name: "dryRun",
          in: "query",
          description: "true: answers with the range of what it would cost, and calls no model",
          schema: { type: "boolean", default: false },
        },
      ],
      requestBody: { required: true, content: { "application/json": { schema: { type: "object" } } } },
      responses: {
        ...describeResponses(""),
        "200": {
          description: "OpenRouter's answer, byte for byte",
          content: {
            "application/json": { schema: { type: "object" } },
            "text/event-stream": { schema: { type: "string", description: "If a stream was asked for" } },
          },
        },
      },
    },
  },
  "/openai/v1/models": {
    get: {
      tags: ["models"],
      summary: "The models this key may use",
      description: "Every other query parameter is refused with 400.",
      parameters: [
        ...MODEL_FILTERS.map((name) => ({
          name,
          in: "query",
          description: "A filter or order of OpenRouter's, which checks and applies it",
          schema: { type: "string" },
        })),
        { name: "offset", in: "query", schema: { type: "integer", minimum: 0, default: 0 } },
        {
          name: "limit",
          in: "query",
          description: "Without offset and limit, the whole list is sent",
          schema: { type: "integer", minimum: 1, maximum: 1_000, default: 500 },
        },
      ],
      responses: describeResponses("OpenRouter's list"),
    },
  },
  "/openai/v1/models/{id}": {
    get: {
      tags: ["models"],
      summary: "One of these models",
      parameters: [
        {
          name: "id",
          in: "path",
          required: true,
          description:
            "Such as openai/gpt-4o-mini, its slash escaped or not, with openrouter/ in front or without, with a variant such as :nitro or without",
          schema: { type: "string" },
        },
      ],
      responses: describeResponses("The entry of OpenRouter's list"),
    },
  },
  "/openai/v1/key": {
    get: {
      tags: ["models"],
      summary: "This key: label, limit, usage, and BYOK usage at providers",
      responses: describeResponses("As OpenRouter's /key"),
    },
  },
  "/healthz": {
    get: { tags: ["health"], summary: "The process lives", security: [], responses: describeResponses("ok") },
  },
  "/readyz": {
    get: {
      tags: ["health"],
      summary: "It can serve",
      security: [],
      responses: {
        ...describeResponses("ready"),
        "5XX": describeJson("Not ready: {status, draining, failing}"),
      },
    },
  },
} as const;
