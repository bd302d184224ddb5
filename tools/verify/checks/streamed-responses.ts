import type { Check } from "../check.ts";
import {
  formatChunk,
  COMMENT,
  formatContentChunk,
  DONE,
  EMPTY_CHOICES_END,
  STREAM,
  STREAM_END,
} from "../upstream-responses.ts";
import { createResponseCheck, type ResponseVector } from "./response-check.ts";

const middle = Math.floor(STREAM.length / 2);

/** Two pieces of one event, split within the four bytes of an emoji. */
function splitInsideEmoji(): Buffer[] {
  const bytes = Buffer.from(formatContentChunk("wave 🌊 wave"));
  const at = bytes.indexOf(Buffer.from("🌊")) + 2;
  return [bytes.subarray(0, at), bytes.subarray(at)];
}

const STREAMS: readonly ResponseVector[] = [
  {
    name: "stream",
    title: "a stream",
    why: "a gateway that parses events and serialises them again loses fields that it does not know",
    parts: STREAM,
  },
  {
    name: "comments-before-data",
    title: "comments before the first event",
    why: "`: OPENROUTER PROCESSING` keeps a connection alive before the first event",
    parts: [COMMENT, COMMENT, ...STREAM],
  },
  {
    name: "comments-between-data",
    title: "comments between events",
    why: "a model may also think in the middle of a response, and only the comments keep the connection alive",
    parts: [...STREAM.slice(0, middle), COMMENT, COMMENT, ...STREAM.slice(middle)],
  },
  {
    name: "split-character",
    title: "a character whose bytes arrive in two packets",
    why: "a gateway that decodes each packet separately replaces both halves with U+FFFD, which corrupts emoji and Chinese text",
    parts: [...splitInsideEmoji(), ...STREAM_END],
    gapMs: 20,
  },
  {
    name: "one-byte-writes",
    title: "a stream that arrives byte by byte",
    why: "a gateway that treats each packet as a whole event loses events when a network splits them",
    parts: Array.from(Buffer.from([formatContentChunk("é🎉"), DONE].join("")), (byte) => Buffer.of(byte)),
  },
  {
    name: "events-in-one-packet",
    title: "many events in one packet",
    why: "a gateway that treats each packet as one event loses the others in the same packet",
    parts: [STREAM.join("")],
  },
  {
    name: "error-chunk",
    title: "an error in the middle of a stream",
    why: "only the error event states why the response ends; gateways that read only `choices` drop this event",
    parts: [
      ...STREAM.slice(0, 2),
      formatChunk(
        `{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"error","native_finish_reason":"error"}`,
        `,"error":{"code":502,"message":"Provider disconnected"}`,
      ),
      DONE,
    ],
  },
  {
    name: "debug-chunk",
    title: "a first event with debug data and without choices",
    why: "the event contains the request as OpenRouter transformed it; a gateway that reads choices[0] fails",
    parts: [
      formatChunk("", `,"debug":{"echo_upstream_body":{"model":"gpt-4o-mini","seed":9007199254740993}}`),
      ...STREAM,
    ],
  },
  {
    name: "empty-choices",
    title: "a usage event without choices",
    why: "the event contains the cost of the whole request",
    parts: [...STREAM.slice(0, 3), ...EMPTY_CHOICES_END],
  },
  {
    name: "crlf",
    title: "a stream with CRLF line breaks",
    why: "server-sent events may end lines with CRLF; a gateway that splits at LF LF finds no event",
    parts: STREAM.map((part) => part.replaceAll("\n", "\r\n")),
  },
  {
    name: "stream-spellings",
    title: "numbers and escapes within events",
    why: "a gateway that parses events and serialises them again changes the spelling of numbers and strings",
    parts: [
      formatContentChunk("\\u00e9 \\/ \\uD83D cut"),
      formatChunk("", `,"usage":{"cost":6e-05,"x_id":9007199254740993,"total_tokens":21.0}`),
      DONE,
    ],
  },
  {
    name: "long-event",
    title: "an event of one megabyte",
    why: "an image is sent in one event, which may exceed the line buffer of a gateway",
    parts: [formatContentChunk("i".repeat(1 << 20)), ...STREAM_END],
  },
  {
    name: "without-done",
    title: "a stream that ends without [DONE]",
    why: "an invented [DONE] makes an incomplete response look complete",
    parts: STREAM.slice(0, -1),
  },
];

/** Streams with status 200. */
export const STREAMED_RESPONSE_CHECKS: readonly Check[] = STREAMS.map((vector) =>
  createResponseCheck(vector, true),
);
