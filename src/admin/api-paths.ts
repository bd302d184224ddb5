// The OpenAPI description of /openai/v1 and the health checks. The bodies of chat completions are forwarded unchanged, so
// OpenRouter's documentation describes them.

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
      description: `The body is forwarded to OpenRouter unchanged, except that the prefix openrouter/ of model ids is removed. OpenRouter documents the fields of the body at ${OPENROUTER}`,
      parameters: [
        {
          name: "dryRun",
          in: "query",
          description: "true: the response is an estimate of the cost, and no model is called",
          schema: { type: "boolean", default: false },
        },
      ],
      requestBody: { required: true, content: { "application/json": { schema: { type: "object" } } } },
      responses: {
        ...describeResponses(""),
        "200": {
          description: "OpenRouter's response, byte for byte",
          content: {
            "application/json": { schema: { type: "object" } },
            "text/event-stream": {
              schema: { type: "string", description: "If the request has stream: true" },
            },
          },
        },
      },
    },
  },
  "/openai/v1/models": {
    get: {
      tags: ["models"],
      summary: "The models this key may use",
      description:
        "An unknown query parameter causes the error 400. The parameters api-version, client_version and user are ignored.",
      parameters: [
        ...MODEL_FILTERS.map((name) => ({
          name,
          in: "query",
          description: "A filter or order, which OpenRouter validates and applies",
          schema: { type: "string" },
        })),
        { name: "offset", in: "query", schema: { type: "integer", minimum: 0, default: 0 } },
        {
          name: "limit",
          in: "query",
          description:
            "The default applies if only offset is sent. If neither is sent, the response is the whole list",
          schema: { type: "integer", minimum: 1, maximum: 1_000, default: 500 },
        },
      ],
      responses: describeResponses("OpenRouter's list"),
    },
  },
  "/openai/v1/models/{id}": {
    get: {
      tags: ["models"],
      summary: "One model that this key may use",
      parameters: [
        {
          name: "id",
          in: "path",
          required: true,
          description:
            "A model id such as openai/gpt-4o-mini. The slash may be percent-encoded; the prefix openrouter/ and a variant such as :nitro are optional",
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
      responses: describeResponses("The same fields as OpenRouter's /key"),
    },
  },
  "/healthz": {
    get: {
      tags: ["health"],
      summary: "Liveness: the process is running",
      security: [],
      responses: describeResponses("ok"),
    },
  },
  "/readyz": {
    get: {
      tags: ["health"],
      summary: "Readiness: the gateway can serve requests",
      security: [],
      responses: {
        ...describeResponses("ready"),
        "5XX": describeJson("Not ready: {status, draining, failing}"),
      },
    },
  },
} as const;
