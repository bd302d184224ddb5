import type { JsonObject } from "../../src/json-values.ts";

/** The events of one API, from the beginning of a stream to its end. */
export interface StreamProtocol {
  readonly path: string;
  /** Body of a streaming request. */
  readonly request: string;
  /** The first event, which states the generation id `gen-1`. */
  readonly first: string;
  /** An event with text. */
  readonly text: string;
  /** The events from the final usage to the end of the stream. The usage states a cost of 0.5 USD. */
  readonly ending: string;
  /** Texts that only a complete stream has. */
  readonly endMarks: readonly string[];
  /** The types of the events that a client receives before an aborted stream is cut. */
  readonly errorEvents: readonly string[];
}

/** Formats an event of an API that names its events. */
export function formatNamedEvent(event: JsonObject & { readonly type: string }): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

const DONE = "data: [DONE]\n\n";
const MESSAGES = [{ role: "user", content: "Hello" }];
const COMPLETION_USAGE =
  'data: {"id":"gen-1","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2,"cost":0.5}}\n\n';

const buildRequest = (fields: JsonObject): string =>
  JSON.stringify({ model: "a/b", stream: true, ...fields });

const CHAT: StreamProtocol = {
  path: "/openai/v1/chat/completions",
  request: buildRequest({ messages: MESSAGES }),
  first: 'data: {"id":"gen-1","model":"a/b","choices":[]}\n\n',
  text: 'data: {"id":"gen-1","choices":[{"delta":{"content":"né"}}]}\n\n',
  ending: COMPLETION_USAGE + DONE,
  endMarks: ["[DONE]"],
  errorEvents: ["error"],
};

const COMPLETIONS: StreamProtocol = {
  ...CHAT,
  path: "/openai/v1/completions",
  request: buildRequest({ prompt: "Hello" }),
  text: 'data: {"id":"gen-1","choices":[{"text":"né"}]}\n\n',
};

const response = (status: string, usage: JsonObject | null): JsonObject => ({
  id: "gen-1",
  model: "a/b",
  object: "response",
  error: null,
  status,
  usage,
});

const RESPONSES: StreamProtocol = {
  path: "/openai/v1/responses",
  request: buildRequest({ input: "Hello" }),
  first: `data: ${JSON.stringify({ type: "response.created", response: response("in_progress", null) })}\n\n`,
  text: 'data: {"type":"response.output_text.delta","delta":"né"}\n\n',
  ending: `data: ${JSON.stringify({
    type: "response.completed",
    response: response("completed", { input_tokens: 4, output_tokens: 2, cost: 0.5 }),
  })}\n\n${DONE}`,
  endMarks: ["response.completed", "[DONE]"],
  errorEvents: ["error", "response.failed"],
};

const ANTHROPIC: StreamProtocol = {
  path: "/anthropic/v1/messages",
  request: buildRequest({ max_tokens: 10, messages: MESSAGES }),
  first: formatNamedEvent({
    type: "message_start",
    message: {
      id: "gen-1",
      model: "a/b",
      content: [],
      usage: { input_tokens: 4, output_tokens: 0, cost: 0 },
    },
  }),
  text: formatNamedEvent({
    type: "content_block_delta",
    index: 0,
    delta: { type: "text_delta", text: "né" },
  }),
  ending:
    formatNamedEvent({
      type: "message_delta",
      delta: { stop_reason: "end_turn" },
      usage: { output_tokens: 2, cost: 0.5 },
    }) + formatNamedEvent({ type: "message_stop" }),
  endMarks: ["message_stop", "[DONE]"],
  errorEvents: ["error"],
};

/** The protocol of every endpoint that streams, by the name of the endpoint. */
export const STREAM_PROTOCOLS: readonly (readonly [name: string, protocol: StreamProtocol])[] = [
  ["chat/completions", CHAT],
  ["completions", COMPLETIONS],
  ["responses", RESPONSES],
  ["messages", ANTHROPIC],
];
