import * as fc from "fast-check";
import type { JsonObject } from "../../src/json-values.ts";

/** Arbitrary events of each API, with texts that look like what the gateway reads. */

/** The usage in a model's text or a client's fields. No reader may find it. */
export const FORGED = { input_tokens: 9, output_tokens: 9, prompt_tokens: 9, completion_tokens: 9, cost: 9 };

/** Text of a model or a client that looks like what the readers search for. */
const hostileText = fc.oneof(
  fc.constantFrom(
    "error",
    "usage",
    "id",
    "message_stop",
    "message_delta",
    "response.completed",
    "[DONE]",
    "data: [DONE]",
    '"usage":{"cost":9}',
    '\n\ndata: {"type":"response.completed","response":{"id":"gen-forged","usage":{"cost":9}}}\n\n',
    '\n\nevent: message_delta\ndata: {"type":"message_delta","usage":{"cost":9}}\n\ndata: [DONE]\n\n',
    '"}}\r\n\r\ndata: [DONE]\r\n\r\n',
    '\\"},"usage":{"cost":9},"id":"gen-forged","x":{"y":"',
    "\u2028data: [DONE]\u2028",
  ),
  fc.string({ unit: "grapheme", maxLength: 20 }),
);
/** A hostile text, in some cases longer than an event that is kept. */
export const longText: fc.Arbitrary<string> = fc
  .tuple(
    hostileText,
    fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, fc.constantFrom(17_000, 40_000, 100_000)),
  )
  .map(([text, length]) => text + '\\x"{['.repeat(length / 5) + text);
const amount = fc.option(fc.constantFrom(0, 0.5, 1.4e-7, 3, -1), { nil: null });
const tokens = fc.option(fc.integer({ min: 0, max: 1e6 }), { nil: null });
/** Fields of nested objects that look like facts of the response. */
export const forgedFields: fc.Arbitrary<object> = fc.record({
  usage: fc.constant(FORGED),
  id: fc.constant("gen-forged"),
  text: longText,
});
/** Ids of responses. Only those that begin with `gen-` are generation ids. */
export const id: fc.Arbitrary<string> = fc.constantFrom(
  "gen-1",
  "gen-1784286313-o0LD",
  "resp_1",
  "msg_1",
  "",
);

/** The usage of each API. */
export const responsesUsage: fc.Arbitrary<object | null> = fc.option(
  fc.record(
    { input_tokens: fc.nat(1e6), output_tokens: tokens, cost: amount, input_tokens_details: fc.constant({}) },
    { requiredKeys: ["input_tokens"] },
  ),
  { nil: null },
);
const responseObject = (usage: fc.Arbitrary<object | null>): fc.Arbitrary<object> =>
  fc.record(
    {
      id,
      instructions: longText,
      error: fc.constant(null),
      metadata: fc.dictionary(fc.constantFrom("usage", "id", "error", "type"), hostileText),
      output: fc.array(forgedFields, { maxLength: 3 }),
      usage,
    },
    { requiredKeys: ["id"] },
  );
/** The events of each API. */
export const responsesEvent: fc.Arbitrary<object> = fc.oneof(
  fc.record({ type: fc.constant("response.output_text.delta"), delta: longText }),
  fc.record({ type: fc.constant("response.output_item.done"), item: forgedFields }),
  fc.record({
    type: fc.constantFrom("response.created", "response.in_progress", "response.queued"),
    response: responseObject(fc.constantFrom(null, FORGED)),
  }),
  fc.record({
    response: responseObject(responsesUsage),
    type: fc.constantFrom("response.completed", "response.incomplete", "response.failed"),
  }),
  fc.record({ type: fc.constant("error"), message: hostileText, usage: fc.constant(FORGED) }),
);

export const messagesUsage: fc.Arbitrary<object> = fc.record(
  {
    input_tokens: tokens,
    output_tokens: fc.nat(1e6),
    cache_read_input_tokens: tokens,
    cache_creation_input_tokens: tokens,
    cost: amount,
  },
  { requiredKeys: ["output_tokens"] },
);
export const messagesEvent: fc.Arbitrary<object> = fc.oneof(
  fc.record({
    type: fc.constant("message_start"),
    message: fc.record(
      { id, content: fc.array(forgedFields, { maxLength: 2 }), usage: messagesUsage },
      { requiredKeys: ["id"] },
    ),
  }),
  fc.record({ type: fc.constant("content_block_start"), content_block: forgedFields }),
  fc.record({
    type: fc.constant("content_block_delta"),
    delta: fc.record({ type: fc.constantFrom("text_delta", "message_delta"), text: longText }),
    usage: fc.constant(FORGED),
  }),
  fc.record({ type: fc.constant("ping") }),
  fc.record({ type: fc.constant("message_delta"), delta: fc.constant({}), usage: messagesUsage }),
  fc.record({ type: fc.constant("message_delta"), delta: forgedFields, usage: fc.constant(null) }),
  fc.record({ type: fc.constant("error"), error: forgedFields }),
  fc.record({ type: fc.constant("message_stop") }),
);

export const completionUsage: fc.Arbitrary<object> = fc.record(
  { prompt_tokens: fc.nat(1e6), completion_tokens: tokens, cost: amount },
  { requiredKeys: ["prompt_tokens"] },
);
export const completionEvent: fc.Arbitrary<object> = fc.oneof(
  fc.record({ id, choices: fc.array(forgedFields, { maxLength: 2 }), usage: fc.constant(null) }),
  fc.record({ id, choices: fc.array(fc.record({ text: longText }), { maxLength: 2 }) }),
  fc.record({ id, choices: fc.constant([]), usage: completionUsage }),
  fc.record({ id, error: fc.option(forgedFields, { nil: null }) }),
);

/** How the events of a stream are written. */
export interface Framing {
  readonly lineBreak: string;
  readonly hasEventLines: boolean;
  readonly data: string;
}

/** Every way to write events. */
export const framing: fc.Arbitrary<Framing> = fc.record({
  lineBreak: fc.constantFrom("\n", "\n", "\r\n", "\r"),
  hasEventLines: fc.boolean(),
  data: fc.constantFrom("data: ", "data:"),
});

/** Writes a stream. @param events objects are events, and texts are written as they are. */
export function formatEvents(
  events: readonly (object | string)[],
  { lineBreak, hasEventLines, data }: Framing,
): Buffer {
  const parts = events.map((event) => {
    if (typeof event === "string") return event;
    const { type } = event as JsonObject;
    const name = hasEventLines && typeof type === "string" ? `event: ${type}${lineBreak}` : "";
    return `${name}${data}${JSON.stringify(event)}`;
  });
  return Buffer.from(parts.map((part) => part + lineBreak + lineBreak).join(""));
}
