import { describe, expect, test } from "vitest";
import {
  createDocument,
  cutDocument,
  DOCUMENT_PLACES,
  DOCUMENT_TYPES,
  readUsage,
} from "../../tools/bench/embeddings-document.ts";
import { measureCpuMs } from "../support/cpu.ts";
import { cutIntoPieces } from "../support/inspect-response.ts";
import { EventStreamReader, JsonKey } from "../../src/response/event-stream.ts";
import { COMPLETION_FORMAT, MESSAGES_FORMAT, RESPONSES_FORMAT } from "../../src/relay/response-format.ts";
import { ResponseInspector } from "../../src/relay/response-inspector.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import { createRequestContext } from "../support/request-context.ts";

// Tests that no text of a model makes the readers slow. Ratios of CPU times of the same run, because machines differ.

const KEYS = ["response.completed", "response.failed", "error"].map((name) => new JsonKey(name));

describe.each([
  ["\n", 4],
  ["\r\n", 4],
])("with line breaks of %j", (lineBreak, times) => {
  test(
    "reads events that all have a wanted text in a time proportional to their length",
    { retry: 2 },
    () => {
      const body = Buffer.from(`data: {"delta":"error"}${lineBreak}${lineBreak}`.repeat(20_000));
      const read = (size: number): void => {
        const reader = new EventStreamReader({ onEvent: () => {} });
        reader.wantedKeys = KEYS;
        for (const piece of cutIntoPieces(body, [size])) reader.push(piece);
      };
      const small = measureCpuMs(() => read(16_384));
      expect(measureCpuMs(() => read(body.length), times * small)).toBeLessThan(times * small);
    },
  );
});

/** Reads a response that arrives in pieces of one byte, as the relay does. */
function inspectBytes(body: Buffer, format: typeof COMPLETION_FORMAT, contentType: string): void {
  const inspector = new ResponseInspector(format);
  const head = { "content-type": contentType, "transfer-encoding": "chunked" };
  inspector.onHead(readResponseHead(200, head), createRequestContext());
  for (const piece of cutIntoPieces(body, [1])) {
    inspector.push(piece);
    inspector.endsWithDone(piece);
  }
}

test.each([
  ["brackets in a stream of responses", "]", RESPONSES_FORMAT],
  ["braces in a stream of messages", "}", MESSAGES_FORMAT],
])(
  "reads %s as fast as other text, although the stream ends with such a byte",
  { retry: 2 },
  (_, text, format) => {
    const start =
      'data: {"type":"x","id":"gen-1","response":{"id":"gen-1"},"message":{"id":"gen-1"}}\n\ndata: {"x":"';
    const read = (filler: string) => (): void =>
      inspectBytes(Buffer.from(start + filler.repeat(20_000)), format, "text/event-stream");
    const other = measureCpuMs(read("x"));
    expect(measureCpuMs(read(text), 5 * other)).toBeLessThan(5 * other);
  },
);

test("searches only the start of a document for its id while the document arrives", { retry: 2 }, () => {
  const read = (values: number) => (): void =>
    inspectBytes(Buffer.from(`{"data":[${"1,".repeat(values)}`), COMPLETION_FORMAT, "application/json");
  const start = measureCpuMs(read(2_500));
  expect(measureCpuMs(read(20_000), 5 * start)).toBeLessThan(5 * start);
});

test.each(DOCUMENT_TYPES.flatMap((type) => DOCUMENT_PLACES.map((place) => [type, place] as const)))(
  "reads the usage of 5 MB of %s embeddings, stated %s, in at most twice the time of a native search",
  { retry: 2 },
  (type, place) => {
    const body = createDocument(type, place);
    const chunks = cutDocument(body, 65_536);
    const search = measureCpuMs(() => body.includes('absent"'));
    expect(measureCpuMs(() => readUsage(chunks), 2 * search)).toBeLessThan(2 * search);
  },
);
