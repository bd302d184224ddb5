// The OpenAPI description of the endpoints for clients and of the health checks, whose routes have no schema.

import { DOCUMENTED_BASE_PATH } from "../endpoints/base-paths.ts";
import { CATALOG_ENDPOINTS, type CatalogEndpoint } from "../endpoints/catalog-endpoints.ts";
import { formatPath } from "../endpoints/known-endpoints.ts";
import { RELAYED_ENDPOINTS, type RelayedEndpoint } from "../endpoints/relayed-endpoints.ts";
import { ANTHROPIC_ERRORS } from "../http/error-format.ts";
import { DESCRIBED_FILTERS } from "./api-model-filters.ts";
import { REQUEST_FIELDS } from "./api-request-bodies.ts";
import {
  ANTHROPIC_ERROR_RESPONSE,
  COST_ESTIMATE,
  CREDITS,
  describeJson,
  ERROR_RESPONSE,
  KEY_STATE,
  LIVENESS,
  OPENROUTER_DOCUMENT,
  READINESS,
  ROOT,
} from "./api-responses.ts";

const OPENROUTER = "https://openrouter.ai/docs/api-reference/overview";

const describeResponses = (description: string, schema: object, error = ERROR_RESPONSE) => ({
  "200": describeJson(description, schema as Readonly<Record<string, unknown>>),
  "4XX": error,
  "5XX": error,
});

const DRY_RUN = {
  name: "dryRun",
  in: "query",
  description: "true: the response is an estimate of the cost, and no model is called",
  schema: { type: "boolean", default: false },
};
const OFFSET = {
  name: "offset",
  in: "query",
  description: "Number of entries that the response leaves out at the beginning of the list",
  schema: { type: "integer", minimum: 0, default: 0 },
};
const LIMIT = {
  name: "limit",
  in: "query",
  description:
    "The default applies if only offset is sent. If neither is sent, the response is the whole list",
  schema: { type: "integer", minimum: 1, maximum: 1_000, default: 500 },
};

function describeNumber(name: string, description: string, bounds: object) {
  return { name, in: "query", description, schema: { type: "integer", ...bounds } };
}

function describeRelayed({ path, summary, hasDryRun, errors, hasStreams }: RelayedEndpoint) {
  const { required = [], fields = {} } = REQUEST_FIELDS[path] ?? {};
  const body = {
    type: "object",
    ...(required.length > 0 && { required }),
    properties: fields,
    additionalProperties: true,
  };
  const json = hasDryRun ? { anyOf: [OPENROUTER_DOCUMENT, COST_ESTIMATE] } : OPENROUTER_DOCUMENT;
  const stream = {
    "text/event-stream": {
      schema: { type: "string", description: "Server-sent events, if the request has stream: true" },
    },
  };
  const error = errors === ANTHROPIC_ERRORS ? ANTHROPIC_ERROR_RESPONSE : ERROR_RESPONSE;
  return {
    post: {
      tags: ["models"],
      summary,
      description: `The body is forwarded to OpenRouter unchanged, except that aliases are resolved and the prefix openrouter/ of model ids is removed. The fields below are those that the gateway validates; it forwards all others too. OpenRouter documents their values at ${OPENROUTER}`,
      externalDocs: { description: "OpenRouter's API reference", url: OPENROUTER },
      ...(hasDryRun && { parameters: [DRY_RUN] }),
      requestBody: { required: true, content: { "application/json": { schema: body } } },
      responses: {
        "200": {
          description: "OpenRouter's response, byte for byte",
          content: { "application/json": { schema: json }, ...(hasStreams && stream) },
        },
        "4XX": error,
        "5XX": error,
      },
    },
  };
}

function describeCatalog({ path, summary, query }: CatalogEndpoint) {
  const segments = Array.from(path.matchAll(/:(\w+)/g), ([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    description: `The ${name} of the model id`,
    schema: { type: "string" },
  }));
  const filters = query.filters.map((name) => ({
    name,
    in: "query",
    description: "A filter, which OpenRouter validates and applies",
    schema: { type: "string" },
  }));
  return {
    get: {
      tags: ["catalog"],
      summary,
      parameters: [...segments, ...filters, ...(query.hasPages ? [OFFSET, LIMIT] : [])],
      responses: describeResponses(
        "OpenRouter's response, restricted to the models this key may use",
        OPENROUTER_DOCUMENT,
      ),
    },
  };
}

/** Path items of OpenAPI 3.1. */
export const API_PATHS = {
  ...Object.fromEntries(
    RELAYED_ENDPOINTS.map((endpoint) => [
      `${endpoint.basePaths[0] ?? ""}/${endpoint.path}`,
      describeRelayed(endpoint),
    ]),
  ),
  "/openai/v1/models": {
    get: {
      tags: ["catalog"],
      summary: "The models this key may use",
      description:
        "An unknown query parameter causes the error 400. The parameters api-version, client_version and user are ignored.",
      parameters: [
        ...DESCRIBED_FILTERS.map(({ name, description }) => ({
          name,
          in: "query",
          description,
          schema: { type: "string" },
        })),
        OFFSET,
        LIMIT,
      ],
      responses: describeResponses("OpenRouter's list", OPENROUTER_DOCUMENT),
    },
  },
  "/openai/v1/models/{id}": {
    get: {
      tags: ["catalog"],
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
      responses: describeResponses("The entry of OpenRouter's list", OPENROUTER_DOCUMENT),
    },
  },
  ...Object.fromEntries(
    CATALOG_ENDPOINTS.map((endpoint) => [
      `${DOCUMENTED_BASE_PATH}/${formatPath(endpoint.path)}`,
      describeCatalog(endpoint),
    ]),
  ),
  "/openai/v1/key": {
    get: {
      tags: ["key"],
      summary: "This key: label, limit, usage, and BYOK usage at providers",
      description:
        "limit, limit_remaining and limit_reset are those of the budget of which the least money remains, among the budgets of the key and of its group.",
      responses: describeResponses("The same fields as OpenRouter's /key", KEY_STATE),
    },
  },
  "/openai/v1/credits": {
    get: {
      tags: ["key"],
      summary: "The credits of this key: its usage, and its usage plus the rest of its tightest budget",
      description: "A key without a budget gets 404.",
      responses: describeResponses("The same fields as OpenRouter's /credits", CREDITS),
    },
  },
  "/openai/v1/generation": {
    get: {
      tags: ["key"],
      summary: "OpenRouter's record of a generation that this key made",
      parameters: [
        {
          name: "id",
          in: "query",
          required: true,
          description: "The id of a response, or its header x-generation-id",
          schema: { type: "string" },
        },
      ],
      responses: describeResponses("OpenRouter's record, byte for byte", OPENROUTER_DOCUMENT),
    },
  },
  "/openai/v1/diagnostics/stream": {
    get: {
      tags: ["checks"],
      summary: "A stream of test events, which shows how proxies deliver streams; no model is called",
      description:
        "Sends events at known times, then nothing for idle_ms, then one more event and [DONE]. One such stream per key and four per process; at most ten minutes.",
      parameters: [
        describeNumber("events", "Number of events before the silence", {
          minimum: 1,
          maximum: 100,
          default: 10,
        }),
        describeNumber("interval_ms", "Time between two events in ms", {
          minimum: 0,
          maximum: 600_000,
          default: 100,
        }),
        describeNumber("idle_ms", "Time without data before the last event, in ms", {
          minimum: 0,
          maximum: 600_000,
          default: 0,
        }),
      ],
      responses: {
        "200": {
          description: "Events with event (its number) and at_ms (its time), then [DONE]",
          content: {
            "text/event-stream": {
              schema: {
                type: "string",
                description: "Server-sent events; at_ms is in ms since the first event",
              },
            },
          },
        },
        "4XX": ERROR_RESPONSE,
        "5XX": ERROR_RESPONSE,
      },
    },
  },
  "/": {
    get: {
      tags: ["checks"],
      summary: "Name and base URLs of the gateway",
      security: [],
      responses: describeResponses("Name and base URLs", ROOT),
    },
  },
  "/healthz": {
    get: {
      tags: ["checks"],
      summary: "Liveness: the process is running",
      security: [],
      responses: describeResponses("ok", LIVENESS),
    },
  },
  "/readyz": {
    get: {
      tags: ["checks"],
      summary: "Readiness: the gateway can serve requests",
      security: [],
      responses: {
        ...describeResponses("Ready", READINESS),
        "5XX": describeJson("Not ready", READINESS),
      },
    },
  },
};
