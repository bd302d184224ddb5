import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MESSAGES_FORMAT } from "../../src/relay/response-format.ts";
import { cutIntoPieces, inspectResponse } from "../support/inspect-response.ts";
import { readStream, SIZES } from "../support/read-response.ts";
import { type ApiName, readReferenceStream, type Stated } from "../support/reference-response.ts";
import {
  completionEvent,
  FORGED,
  formatEvents,
  framing,
  messagesEvent,
  responsesEvent,
} from "../support/response-events.ts";

const EVENTS: [ApiName, fc.Arbitrary<object>][] = [
  ["completions", completionEvent],
  ["responses", responsesEvent],
  ["messages", messagesEvent],
];

/** Parts of a stream that are not JSON. */
const rarelyDone = fc.constantFrom(
  "data: [DONE]",
  ": OPENROUTER PROCESSING",
  ": data: [DONE]",
  "event: ping",
);

describe.each(EVENTS)("the reader of streams of %s", (api, event) => {
  test("reads what a parser of the whole stream reads, for any events, line breaks and chunks", () => {
    const events = fc.array(fc.oneof({ weight: 5, arbitrary: event }, { weight: 1, arbitrary: rarelyDone }), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(events, framing, SIZES, (list, frame, sizes) => {
        const body = formatEvents(list, frame);
        expect(readStream(cutIntoPieces(body, sizes), api)).toEqual(readReferenceStream(body, api));
      }),
      { numRuns: 400 },
    );
  });
});

const TEXT = { type: "response.output_text.delta", delta: "né" };
const RESPONSE = { id: "gen-1", model: "a/b", usage: { input_tokens: 4, output_tokens: 2, cost: 0.5 } };
const COMPLETED = { type: "response.completed", response: RESPONSE };
const MESSAGES_STREAM = [
  { type: "message_start", message: { id: "gen-1", usage: { input_tokens: 4, output_tokens: 0, cost: 0 } } },
  { type: "ping" },
  { type: "content_block_delta", delta: { type: "text_delta", text: "né" } },
  { type: "message_delta", usage: { input_tokens: null, output_tokens: 2, cost: 0.5 } },
  { type: "message_stop" },
];
const FOUND = {
  cost: 0.5,
  promptTokens: 4,
  completionTokens: 2,
  id: "gen-1",
  isComplete: true,
  hasError: false,
};

test.each<[string, ApiName, (object | string)[]]>([
  ["Responses events with [DONE]", "responses", [TEXT, COMPLETED, "data: [DONE]"]],
  ["Responses events without [DONE]", "responses", [TEXT, COMPLETED]],
  ["Messages events", "messages", MESSAGES_STREAM],
])("finds the same in %s that are cut at every byte", (_, api, events) => {
  for (const lineBreak of ["\n", "\r\n", "\r"])
    for (const hasEventLines of [false, true]) {
      const body = formatEvents(events, { lineBreak, hasEventLines, data: "data: " });
      expect(readStream(cutIntoPieces(body, [1]), api)).toEqual(FOUND);
      for (let at = 0; at <= body.length; at++)
        expect(readStream([body.subarray(0, at), body.subarray(at)], api), `cut at ${at}`).toEqual(FOUND);
    }
});

test.each([100, 1_460, 16_384, 65_536, 2_000_000])(
  "reads the usage of an event of more than a megabyte in chunks of %i bytes",
  (size) => {
    const output = [{ content: '"usage":{"cost":9}\\'.repeat(60_000), usage: FORGED }];
    const completed = { ...COMPLETED, response: { ...RESPONSE, output, usage: RESPONSE.usage } };
    const body = formatEvents([TEXT, completed], { lineBreak: "\n", hasEventLines: true, data: "data: " });
    expect(body.length).toBeGreaterThan(1_000_000);
    expect(readStream(cutIntoPieces(body, [size]), "responses")).toEqual(FOUND);
  },
);

test.each<[string, ApiName, (object | string)[], Partial<Stated>]>([
  ["[DONE] alone", "responses", ["data: [DONE]"], { isComplete: true, cost: undefined }],
  [
    "only a cost before the final event",
    "responses",
    [{ ...COMPLETED, type: "response.in_progress" }],
    { isComplete: false, cost: undefined },
  ],
  [
    "message_start and message_stop",
    "messages",
    MESSAGES_STREAM.filter(({ type }) => type !== "message_delta"),
    { isComplete: true, cost: undefined, promptTokens: 4 },
  ],
  [
    "message_start and [DONE]",
    "messages",
    [MESSAGES_STREAM[0] ?? {}, "data: [DONE]"],
    { isComplete: true, cost: undefined },
  ],
  [
    "a last usage without cost",
    "messages",
    [...MESSAGES_STREAM, { type: "message_delta", usage: { output_tokens: 3 } }],
    { cost: undefined, completionTokens: 3 },
  ],
  [
    "a last usage with a cost of null",
    "messages",
    [...MESSAGES_STREAM, { type: "message_delta", usage: { cost: null, output_tokens: 3 } }],
    { cost: undefined },
  ],
  [
    "an error event",
    "messages",
    [{ type: "error", error: { type: "api_error", message: "m" } }],
    { hasError: true, isComplete: false },
  ],
  [
    "a failed response",
    "responses",
    [{ ...COMPLETED, type: "response.failed" }],
    { hasError: true, isComplete: true, cost: 0.5 },
  ],
])("reads a stream with %s", (_, api, events, expected) => {
  const body = formatEvents(events, { lineBreak: "\n", hasEventLines: true, data: "data: " });
  expect(readStream([body], api)).toMatchObject(expected);
  expect(readStream([body], api)).toEqual(readReferenceStream(body, api));
});

test("keeps no preliminary amount of message_start", () => {
  const preliminary = {
    input_tokens: 4,
    output_tokens: 0,
    cost: 0,
    cost_details: { upstream_inference_cost: 9 },
  };
  const events = [
    { type: "message_start", message: { id: "gen-1", usage: preliminary } },
    ...MESSAGES_STREAM.slice(1),
  ];
  const body = formatEvents(events, { lineBreak: "\n", hasEventLines: true, data: "data: " });
  const { usage } = inspectResponse({ contentType: "text/event-stream", status: 200 }, [body], {
    format: MESSAGES_FORMAT,
  });
  expect(usage).toMatchObject({ costUsd: 0.5, upstreamInferenceUsd: undefined });
});
