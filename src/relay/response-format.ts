import type { Usage } from "../http/request-context.ts";
import { parseMessagesUsage, parseUsage } from "../metering/usage.ts";
import { JsonKey } from "../response/event-stream.ts";
import { type JsonObject, readFields } from "../json-values.ts";

/** The facts that one event of a stream states. */
export interface EventFacts {
  /** The object with the fields `id`, `provider` and `model` of the response. */
  readonly identity: JsonObject;
  /** The usage object; undefined if the event has none. */
  readonly usage: unknown;
  readonly isError: boolean;
  /** Whether a complete response ends with this event. A line `data: [DONE]` ends every stream as well. */
  readonly isLast: boolean;
}

/** Where the responses of an API state what the gateway reads. */
export interface ResponseFormat {
  /** Strings, one of which is in the JSON of every event that is read. */
  readonly eventKeys: readonly JsonKey[];
  /** The last bytes of a stream, without line breaks. */
  readonly streamEnd: Buffer;
  /** The member of the first event that contains the identity; undefined if the event itself does. */
  readonly identityMember: string | undefined;
  readEvent(event: JsonObject): EventFacts;
  /** Combines a usage object with that of earlier events. */
  combineUsage(earlier: JsonObject | undefined, usage: JsonObject): JsonObject;
  /** Parses a usage object. @returns undefined if it states neither tokens nor a cost. */
  parseUsage(usage: unknown): Usage | undefined;
}

const DONE_END = Buffer.from("]");
const NOTHING: JsonObject = {};

/** Chat completions, legacy completions, and endpoints without streams. */
export const COMPLETION_FORMAT: ResponseFormat = {
  eventKeys: createKeys(["usage", "error"]),
  streamEnd: DONE_END,
  identityMember: undefined,
  readEvent: (event) => ({
    identity: event,
    usage: event["usage"],
    isError: (event["error"] ?? null) !== null,
    isLast: false,
  }),
  combineUsage: (_earlier, usage) => usage,
  parseUsage,
};

/** Types of the events that end a response of the Responses API. */
const FINAL_RESPONSES = ["response.completed", "response.incomplete", "response.failed"];

/** OpenAI's Responses API. The last event repeats the whole response, and OpenRouter sends `[DONE]` after it. */
export const RESPONSES_FORMAT: ResponseFormat = {
  eventKeys: createKeys([...FINAL_RESPONSES, "error"]),
  streamEnd: DONE_END,
  identityMember: "response",
  readEvent: ({ type, response }) => {
    const identity = readFields(response);
    const isLast = typeof type === "string" && FINAL_RESPONSES.includes(type);
    return {
      identity,
      usage: isLast ? identity["usage"] : undefined,
      isError: type === "response.failed" || type === "error",
      isLast,
    };
  },
  combineUsage: (_earlier, usage) => usage,
  parseUsage,
};

/** Anthropic's Messages API. The first event states the input tokens, and the last but one the final usage. */
export const MESSAGES_FORMAT: ResponseFormat = {
  eventKeys: createKeys(["message_start", "message_delta", "message_stop", "error"]),
  streamEnd: Buffer.from('p"}'),
  identityMember: "message",
  readEvent: ({ type, message, usage }) => {
    const identity = type === "message_start" ? readFields(message) : NOTHING;
    return {
      identity,
      usage: type === "message_delta" ? usage : dropAmounts(readFields(identity["usage"])),
      isError: type === "error",
      isLast: type === "message_stop",
    };
  },
  combineUsage: (earlier = NOTHING, usage) => ({ ...dropAmounts(earlier), ...dropNulls(usage) }),
  parseUsage: parseMessagesUsage,
};

function createKeys(names: readonly string[]): JsonKey[] {
  return names.map((name) => new JsonKey(name));
}

/** Removes the cost from a usage object that is not the last one, because it is preliminary. */
function dropAmounts(usage: JsonObject): JsonObject {
  return { ...usage, cost: undefined, cost_details: undefined };
}

function dropNulls(object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}
