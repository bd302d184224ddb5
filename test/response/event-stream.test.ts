import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { waitUntil } from "../support/wait.ts";
import type { JsonObject } from "../../src/json-values.ts";
import { EventStreamReader, JsonKey } from "../../src/response/event-stream.ts";

const EVENT_MAX_BYTES = 32_768;
const SCAN_BYTES = 16_384;
const LONG = `data: {"id":"${"x".repeat(20_000)}"}`;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const WANTED = [new JsonKey("usage"), new JsonKey("id")];

/** Pushes chunks into a reader that wants events with `"usage"` or `"id"`. @returns the reader and its events. */
function createReader(...chunks: (string | Buffer)[]) {
  const events: JsonObject[] = [];
  const reader = new EventStreamReader({ onEvent: (event) => void events.push(event) });
  reader.wantedKeys = WANTED;
  for (const chunk of chunks) reader.push(Buffer.from(chunk as string));
  return { reader, events };
}

test.each([
  ["nothing", "", true],
  ["two line feeds", "data: 1\n\n", true],
  ["two carriage returns", "data: 1\r\r", true],
  ["two CRLFs", "data: 1\r\n\r\n", true],
  ["a comment and a blank line", ": OPENROUTER PROCESSING\n\n", true],
  ["a line feed", "data: 1\n", false],
  ["a carriage return", "data: 1\r", false],
  ["a CRLF", "data: 1\r\n", false],
  ["a line feed and a carriage return", "data: 1\n\r", false],
  ["a CRLF and a carriage return", "data: 1\r\n\r", false],
  ["a line between a carriage return and a CRLF", "data: 1\rx\r\n", false],
  ["a line of one character", "data: 1\nx\n", false],
  ["text", "data: 1", false],
  ["text after a blank line", "data: 1\n\nd", false],
])("for a stream that ends with %s (%j), isBetweenEvents is %s", (_, text, isBetween) => {
  expect(createReader(text).reader.isBetweenEvents).toBe(isBetween);
  expect(createReader(...text.split("")).reader.isBetweenEvents).toBe(isBetween);
});

test.each([
  ["a [DONE] line", "data: [DONE]\n\n", true],
  ["a [DONE] line without a space", "data:[DONE]\n\n", true],
  ["a [DONE] line that ends with CRLF", "data: 1\r\n\r\ndata: [DONE]\r\n\r\n", true],
  ["a [DONE] line that ends with CR", "data: 1\r\rdata: [DONE]\r\r", true],
  ["a [DONE] line followed by comments", `data: [DONE]\n\n${": waiting\n\n".repeat(5_000)}`, true],
  ["a [DONE] line without a blank line after it", "data: [DONE]\n", true],
  ["a byte order mark before the [DONE] line", "\ufeffdata: [DONE]\n\n", true],
  ["[DONE] in the text of a model", 'data: {"content":"data: [DONE]"}\n\n', false],
  ["[DONE] in a long text of a model", `data: {"content":"data: [DONE]${"x".repeat(250)}"}\n\n`, false],
  ["[DONE] between escaped line breaks", 'data: {"content":"\\ndata: [DONE]\\n"}\n\n', false],
  ["two spaces before [DONE]", "data:  [DONE]\n\n", false],
  ["more text after [DONE] in the same line", "data: [DONE] x\n\n", false],
  ["[DONE] in another field", "event: [DONE]\n\nxdata: [DONE]\n\n", false],
  ["[DONE] in a comment", ": data: [DONE]\n\n", false],
  ["a truncated [DONE] line", "data: [DONE", false],
  ["nothing", "", false],
])("hasDone is correct for a stream with %s", (_, text, done) => {
  expect(createReader(text).reader.hasDone).toBe(done);
  expect(createReader(...text.split("")).reader.hasDone).toBe(done);
});

test("hasDone needs a line break after [DONE], and hasDoneAtEnd does not", () => {
  const { reader } = createReader("data: 1\n\ndata: [DONE]");
  expect([reader.hasDone, reader.hasDoneAtEnd]).toEqual([false, true]);
  reader.push(Buffer.from(" and more\n\n"));
  expect([reader.hasDone, reader.hasDoneAtEnd]).toEqual([false, false]);
});

test("calls onEvent for each complete event with a wanted key, and for no other", () => {
  const { reader, events } = createReader(
    ': comment\n\ndata: {"usage":{"a":1}}\n\ndata: {"other":2}\n\nevent: x\nid: 7\ndata: {"id":3}\n\n',
    'data: {"usage":null}\n\ndata: {"usage" : null }\n\ndata: {"choices":[{"usage" : {}}]}\n\ndata: {"usage":{"a":9}}\n',
  );
  reader.scan();
  expect(events).toEqual([{ usage: { a: 1 } }, { id: 3 }, { choices: [{ usage: {} }] }]);
});

test("joins the data lines of an event for each kind of line break", () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    const { reader, events } = createReader(`data: {${end}data:"usage":${end}data: {"a":1}}${end}${end}`);
    reader.scan();
    expect(events).toEqual([{ usage: { a: 1 } }]);
  }
});

test("reads data with U+2028 and U+2029, which JSON does not escape", () => {
  const { reader, events } = createReader('data: {"usage":{"text":"a\u2028b\u2029c"}}\n\n');
  reader.scan();
  expect(events).toEqual([{ usage: { text: "a\u2028b\u2029c" } }]);
});

test("calls onUnreadable for an event that has a wanted key but is not JSON, and for a long event without an outline", () => {
  let unreadable = 0;
  const reader = new EventStreamReader({ onEvent: () => {}, onUnreadable: () => void unreadable++ });
  reader.wantedKeys = [new JsonKey("usage")];
  reader.push(Buffer.from('data: {"usage":{}}\n\ndata: {"other"\n\ndata: [DONE]\n\n'));
  reader.scan();
  expect(unreadable).toBe(0);
  reader.push(Buffer.from('data: {"usage":{\n\n'));
  reader.scan();
  expect(unreadable).toBe(1);
  reader.push(Buffer.from(`data: {${'"x":0,'.repeat(EVENT_MAX_BYTES)}`));
  reader.scan();
  reader.push(Buffer.from('"y":0}\n\n'));
  reader.scan();
  expect(unreadable).toBe(2);
});

test("ignores data that is not a JSON object", () => {
  const { reader, events } = createReader('data: "usage"\n\ndata: ["usage"\n\ndata: {"usage":{}}\n\n');
  reader.scan();
  expect(events).toEqual([{ usage: {} }]);
});

test("uses the new wantedKeys from the next event on when onEvent changes them", () => {
  const events: JsonObject[] = [];
  const reader = new EventStreamReader({
    onEvent: (event) => {
      events.push(event);
      reader.wantedKeys = [new JsonKey("usage")];
    },
  });
  reader.wantedKeys = [new JsonKey("id"), new JsonKey("usage")];
  reader.push(Buffer.from('data: {"id":1}\n\ndata: {"id":2}\n\ndata: {"id":3,"usage":{}}\n\n'));
  reader.scan();
  expect(events).toEqual([{ id: 1 }, { id: 3, usage: {} }]);
});

test("finds the same events and the same end for any split into chunks", () => {
  const data = fc.constantFrom(
    'data: {"usage":{"a":1}}',
    'data: {"usage":null}',
    "data: [DONE]",
    ": comment",
    'data: {"x":"\\"usage\\":{} data: [DONE]"}',
    LONG,
    'data: {"usage":{"text":"\u2028"}}',
    "event: message",
    "",
  );
  const stream = fc
    .tuple(fc.array(data, { maxLength: 40 }), fc.constantFrom("\n", "\r\n", "\r"))
    .map(([lines, end]) => {
      // Makes each long line an event of its own. An event with more lines could be longer than EVENT_MAX_BYTES, and the
      // split would then decide whether the reader reads it as a whole.
      const separated = lines.flatMap((line) => (line === LONG ? ["", line, ""] : [line]));
      return Buffer.from(separated.map((line) => line + end).join(""));
    });
  fc.assert(
    fc.property(stream, fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1 }), (bytes, sizes) => {
      const whole = createReader(bytes);
      const pieces: Buffer[] = [];
      for (let at = 0, i = 0; at < bytes.length; at += sizes[i++ % sizes.length] ?? 1)
        pieces.push(bytes.subarray(at, at + (sizes[i % sizes.length] ?? 1)));
      const split = createReader(...pieces);
      const readState = ({ reader, events }: ReturnType<typeof createReader>) => ({
        done: reader.hasDone,
        ends: reader.hasDoneAtEnd,
        between: reader.isBetweenEvents,
        events: [...events],
      });
      expect(readState(split)).toEqual(readState(whole));
    }),
    { numRuns: 200 },
  );
});

test("reads the outline of a long event, and the next event", () => {
  const long = `data: {"usage":{"text":"${"x".repeat(2 * EVENT_MAX_BYTES)}"}}\n\n`;
  const pieces = Array.from({ length: 100 }, (_, index) => long.slice(index * 6_000, (index + 1) * 6_000));
  const { reader, events } = createReader(...pieces, 'data: {"usage":{"a":1}}\n\ndata: [DONE]\n\n');
  expect([reader.hasDone, reader.isBetweenEvents]).toEqual([true, true]);
  expect(events).toEqual([{ usage: { text: "" } }, { usage: { a: 1 } }]);
});

test.each([
  ["an event that is almost too long", `data: {"id":"${"x".repeat(EVENT_MAX_BYTES - 100)}`, 1_300],
  ["short events", 'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'.repeat(2_000), 1_300],
  ["an event that is too long", `data: {"id":"${"x".repeat(300_000)}`, 65_536],
  ["a long chunk that ends within an event", `${": c\n\n".repeat(40_000)}data: {"id":1`, 240_100],
])("keeps the memory of a reader within its bounds for a stream with %s", async (_, text, chunkBytes) => {
  collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 200 }, () => {
    const { reader } = createReader();
    for (let at = 0; at < text.length; at += chunkBytes) {
      const bytes = Buffer.from(text.slice(at, at + chunkBytes));
      const chunk = Buffer.allocUnsafeSlow(bytes.length);
      bytes.copy(chunk);
      reader.push(chunk);
    }
    return reader;
  });
  const bound = readers.length * (EVENT_MAX_BYTES + SCAN_BYTES + 2_000);
  await waitUntil(() => {
    collectGarbage();
    return process.memoryUsage().arrayBuffers - before < bound;
  }, "the memory of the readers to be within their bounds");
  expect(readers.every(({ hasDone }) => !hasDone)).toBe(true);
});

test("takes at most 100 kB of heap for a stream of one-byte chunks", () => {
  const source = Buffer.from(`data: {"id":"${"x".repeat(EVENT_MAX_BYTES - 100)}`);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const readers = Array.from({ length: 20 }, () => {
    const { reader } = createReader();
    for (let at = 0; at < source.length; at++) reader.push(source.subarray(at, at + 1));
    return reader;
  });
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(readers.length * 100_000);
});

test("neither keeps an endless event in memory nor takes it for the end of the stream", async () => {
  const piece = Buffer.from("data: [DONE]x".repeat(5_000));
  const { reader, events } = createReader();
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 5_000; count++) reader.push(piece);
  // V8 releases the memory of buffers some time after the garbage collection.
  await waitUntil(() => {
    collectGarbage();
    return process.memoryUsage().arrayBuffers - before < 2 * EVENT_MAX_BYTES;
  }, "the memory of the chunks to be released");
  expect([reader.hasDone, reader.isBetweenEvents, events]).toEqual([false, false, []]);
});
