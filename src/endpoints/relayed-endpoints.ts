import { ANTHROPIC_ERRORS, type ErrorFormat, OPENAI_ERRORS, RESPONSES_ERRORS } from "../http/error-format.ts";
import type { CostRules } from "../pricing/cost-rules.ts";
import { CHAT_COST } from "../pricing/rules/chat.ts";
import { COMPLETIONS_COST } from "../pricing/rules/completions.ts";
import { EMBEDDINGS_COST } from "../pricing/rules/embeddings.ts";
import { MESSAGES_COST } from "../pricing/rules/messages.ts";
import { RERANK_COST } from "../pricing/rules/rerank.ts";
import { RESPONSES_COST } from "../pricing/rules/responses.ts";
import {
  COMPLETION_FORMAT,
  MESSAGES_FORMAT,
  type ResponseFormat,
  RESPONSES_FORMAT,
} from "../relay/response-format.ts";
import { DEFAULT_LIMITS } from "../request/json-object.ts";
import type { RequestShape } from "../request/request-shape.ts";
import { chatCompletionsSchema } from "../request/schemas/chat-completions.ts";
import { completionsSchema } from "../request/schemas/completions.ts";
import { embeddingsSchema } from "../request/schemas/embeddings.ts";
import { messagesSchema } from "../request/schemas/messages.ts";
import { rerankSchema } from "../request/schemas/rerank.ts";
import { responsesSchema } from "../request/schemas/responses.ts";
import { ANTHROPIC_BASE_PATH, BASE_PATHS } from "./base-paths.ts";

/** An endpoint whose requests call a model, and whose bytes the gateway relays. */
export interface RelayedEndpoint {
  /** Path below the base paths and below upstream's base URL. Also the name of the endpoint in the ledger. */
  readonly path: string;
  /** Result of a request, for the description of the API. */
  readonly summary: string;
  /** Base paths of the endpoint, the documented one first. */
  readonly basePaths: readonly string[];
  readonly request: RequestShape;
  readonly response: ResponseFormat;
  readonly errors: ErrorFormat;
  /** Names of query parameters that are forwarded if they have the value `true`. */
  readonly forwardedFlags?: readonly string[];
  /** Whether all headers that begin with `anthropic-` are forwarded. */
  readonly forwardsAnthropicHeaders?: boolean;
  /** Whether a request with `stream: true` gets a stream of events. */
  readonly hasStreams?: boolean;
  /** How the highest cost of a request is bounded, so that a hard budget can reserve it. */
  readonly cost: CostRules;
  /** Whether a dry run returns an estimate of the cost. */
  readonly hasDryRun?: boolean;
  /** Whether the API's field for the end user is `metadata.user_id`. In all other APIs, it is `user`. */
  readonly hasMetadataUserId?: boolean;
}

/**
 * An embeddings request may have 300,000 tokens, each of which can be a JSON number. Numbers take little time to parse: without
 * a lower limit on strings, 400,000 strings would take 200 ms.
 */
const EMBEDDINGS_LIMITS = { ...DEFAULT_LIMITS, values: 400_000, strings: 50_000 };

/** Every endpoint that calls a model. No other module knows how many there are. */
export const RELAYED_ENDPOINTS: readonly RelayedEndpoint[] = [
  {
    path: "chat/completions",
    summary: "A chat completion, streamed or not",
    basePaths: BASE_PATHS,
    request: { schema: chatCompletionsSchema },
    cost: CHAT_COST,
    response: COMPLETION_FORMAT,
    errors: OPENAI_ERRORS,
    hasDryRun: true,
    hasStreams: true,
  },
  {
    path: "completions",
    summary: "A completion of a text, streamed or not",
    basePaths: BASE_PATHS,
    request: { schema: completionsSchema },
    cost: COMPLETIONS_COST,
    response: COMPLETION_FORMAT,
    errors: OPENAI_ERRORS,
    hasStreams: true,
  },
  {
    path: "responses",
    summary: "A response of OpenAI's Responses API, streamed or not",
    basePaths: BASE_PATHS,
    request: { schema: responsesSchema },
    cost: RESPONSES_COST,
    response: RESPONSES_FORMAT,
    errors: RESPONSES_ERRORS,
    hasStreams: true,
  },
  {
    path: "messages",
    summary: "A message of Anthropic's Messages API, streamed or not",
    basePaths: [ANTHROPIC_BASE_PATH, ...BASE_PATHS],
    request: { schema: messagesSchema, hasFallbacks: true },
    cost: MESSAGES_COST,
    response: MESSAGES_FORMAT,
    errors: ANTHROPIC_ERRORS,
    forwardedFlags: ["beta"],
    forwardsAnthropicHeaders: true,
    hasMetadataUserId: true,
    hasStreams: true,
  },
  {
    path: "embeddings",
    summary: "Embeddings of texts",
    basePaths: BASE_PATHS,
    request: { schema: embeddingsSchema, limits: EMBEDDINGS_LIMITS },
    cost: EMBEDDINGS_COST,
    response: COMPLETION_FORMAT,
    errors: OPENAI_ERRORS,
  },
  {
    path: "rerank",
    summary: "Documents, ordered by their relevance to a query",
    basePaths: BASE_PATHS,
    request: { schema: rerankSchema },
    cost: RERANK_COST,
    response: COMPLETION_FORMAT,
    errors: OPENAI_ERRORS,
  },
];

/** The names of the endpoints in the ledger. */
export const ENDPOINT_NAMES: readonly string[] = RELAYED_ENDPOINTS.map(({ path }) => path);
