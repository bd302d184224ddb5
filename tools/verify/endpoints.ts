// The endpoints, besides chat completions, that a gateway may have. Each has a group of checks.
import { type ErrorShape, ANTHROPIC_SHAPE, OPENAI_SHAPE } from "./error-shapes.ts";
import {
  COMPLETIONS_STREAM,
  MESSAGES_STREAM,
  RESPONSES_STREAM,
  type StreamProtocol,
} from "./stream-protocols.ts";

/** An endpoint below the base URL. */
export interface Endpoint {
  /** Name of the group of its checks. */
  readonly group: string;
  readonly path: string;
  /** Returns JSON text of the fields of a request, without its model. @param marker identifies the requests of a check. */
  readonly buildInput: (marker: string) => string;
  /** Whether requests may have a list of fallback models in `models`. */
  readonly hasModels: boolean;
  /** A plain response. Its spelling changes if a gateway parses it and serialises it again. */
  readonly plainResponse: string;
  /** The body of a 429 of upstream. Its spelling changes if a gateway parses it and serialises it again. */
  readonly upstreamError: string;
  /** Shape in which the clients of the endpoint expect the gateway's own errors. */
  readonly errors: ErrorShape;
  /** Streams of the endpoint; undefined: it has none. */
  readonly stream: StreamProtocol | undefined;
}

const OPENAI_UPSTREAM_ERROR = `{ "error" : { "code" : 429.0 , "message" : "Provider returned error \\u2014 x\\/y" } , "user_id" : "user_1" }\n`;
const ANTHROPIC_UPSTREAM_ERROR = `{ "type" : "error" , "error" : { "type" : "rate_limit_error" , "message" : "slow \\u2014 x\\/y" } , "request_id" : null }\n`;

/** Every endpoint that has a group of checks, in the order in which the groups run. */
export const ENDPOINTS: readonly Endpoint[] = [
  {
    group: "completions",
    path: "/completions",
    buildInput: (marker) => `"prompt":"${marker}"`,
    hasModels: true,
    plainResponse: `{"id":"gen-1767225600-V3r1fy","x_id":9007199254740993,"object":"text_completion","created":1767225600,"choices":[{"text":"caf\\u00e9 \\/ \\uD83D cut","index":0,"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":9,"completion_tokens":12.0,"cost":6e-05}}`,
    upstreamError: OPENAI_UPSTREAM_ERROR,
    errors: OPENAI_SHAPE,
    stream: COMPLETIONS_STREAM,
  },
  {
    group: "responses",
    path: "/responses",
    buildInput: (marker) => `"input":"${marker}"`,
    hasModels: true,
    plainResponse: `{"id":"gen-1767225600-V3r1fy","x_id":9007199254740993,"object":"response","created_at":1767225600,"status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"caf\\u00e9 \\/ \\uD83D cut"}]}],"usage":{"input_tokens":9,"output_tokens":12.0,"cost":6e-05}}`,
    upstreamError: OPENAI_UPSTREAM_ERROR,
    errors: OPENAI_SHAPE,
    stream: RESPONSES_STREAM,
  },
  {
    group: "messages",
    path: "/messages",
    buildInput: (marker) => `"max_tokens":64,"messages":[{"role":"user","content":"${marker}"}]`,
    hasModels: true,
    plainResponse: `{"id":"gen-1767225600-V3r1fy","x_id":9007199254740993,"type":"message","role":"assistant","content":[{"type":"text","text":"caf\\u00e9 \\/ \\uD83D cut"}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":12.0,"cost":6e-05}}`,
    upstreamError: ANTHROPIC_UPSTREAM_ERROR,
    errors: ANTHROPIC_SHAPE,
    stream: MESSAGES_STREAM,
  },
  {
    group: "embeddings",
    path: "/embeddings",
    buildInput: (marker) => `"input":["${marker}","text"]`,
    hasModels: false,
    plainResponse: `{"object":"list","x_id":9007199254740993,"data":[{"object":"embedding","index":0,"embedding":[-0.0,1E-5,0.10,6e-05]}],"model":"caf\\u00e9 \\/ x","usage":{"prompt_tokens":9.0,"total_tokens":9,"cost":1.4e-7}}`,
    upstreamError: OPENAI_UPSTREAM_ERROR,
    errors: OPENAI_SHAPE,
    stream: undefined,
  },
  {
    group: "rerank",
    path: "/rerank",
    buildInput: (marker) => `"query":"${marker}","documents":["text",{"text":"other text"}]`,
    hasModels: false,
    plainResponse: `{"model":"rerank-2.5-lite","x_id":9007199254740993,"results":[{"index":1,"relevance_score":0.50,"document":{"text":"caf\\u00e9 \\/ x"}}],"usage":{"total_tokens":17.0,"cost":3.4e-07}}`,
    upstreamError: OPENAI_UPSTREAM_ERROR,
    errors: OPENAI_SHAPE,
    stream: undefined,
  },
];

/** Builds a small request. @param fields JSON text of further fields; it begins with a comma. */
export function buildBody(endpoint: Endpoint, marker: string, fields = ""): string {
  return `{"model":"openai/gpt-4o-mini",${endpoint.buildInput(marker)}${fields}}`;
}
