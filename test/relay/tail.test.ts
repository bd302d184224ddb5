import { expect, test } from "vitest";
import { Tail } from "../../src/relay/tail.ts";

const KEPT = 16_384;

function tailOf(...chunks: string[]): Tail {
  const tail = new Tail();
  for (const chunk of chunks) tail.push(Buffer.from(chunk));
  return tail;
}

test.each([
  ["nothing", "", true],
  ["two line feeds", "data: 1\n\n", true],
  ["two carriage returns", "data: 1\r\r", true],
  ["two pairs of both", "data: 1\r\n\r\n", true],
  ["a comment and an empty line", ": OPENROUTER PROCESSING\n\n", true],
  ["a line feed", "data: 1\n", false],
  ["a carriage return", "data: 1\r", false],
  ["a pair of both", "data: 1\r\n", false],
  ["an end of line before a carriage return", "data: 1\n\r", false],
  ["a pair and a carriage return", "data: 1\r\n\r", false],
  ["a carriage return before a pair", "data: 1\rx\r\n", false],
  ["one character in a line", "data: 1\nx\n", false],
  ["text", "data: 1", false],
  ["text after an empty line", "data: 1\n\nd", false],
])("a stream that ends with %s stands between two events: %j %s", (_, text, between) => {
  expect(tailOf(text).atEventBoundary()).toBe(between);
  expect(tailOf(...text.split("")).atEventBoundary()).toBe(between);
});

test("a stream is done when [DONE] is among its last 256 bytes, in how many pieces it may have come", () => {
  const done = "data: [DONE]";
  expect(tailOf("data: 1\n\n", done).isDone()).toBe(true);
  expect(tailOf(...`x\n${done}\n\n`.split("")).isDone()).toBe(true);
  expect(tailOf(`data: {"content":"x${done}"}\n\n`).isDone()).toBe(false);
  expect(tailOf(done + " ".repeat(244)).isDone()).toBe(true);
  expect(tailOf(done + " ".repeat(245)).isDone()).toBe(false);
  expect(tailOf("data: [DONE").isDone()).toBe(false);
  expect(tailOf().isDone()).toBe(false);
});

test("nothing is let go until there is twice as much as must be kept", () => {
  const tail = tailOf("a".repeat(KEPT), "b".repeat(KEPT));
  expect(tail.bytes().length).toBe(2 * KEPT);
  expect(tail.empty).toBe(false);
});

test("then all is let go but the whole chunks that hold what must be kept", () => {
  expect(
    tailOf("a".repeat(KEPT + 1), "b".repeat(KEPT))
      .bytes()
      .toString(),
  ).toBe("b".repeat(KEPT));
  expect(tailOf("a".repeat(KEPT + 2), "b".repeat(KEPT - 1)).bytes().length).toBe(2 * KEPT + 1);
  const many = tailOf(..."abcdefghi".split("").map((letter) => letter.repeat(4_096)));
  expect(many.bytes().toString()).toBe("fghi".replaceAll(/./g, (letter) => letter.repeat(4_096)));
});

test("one chunk is kept whole, however long, and nothing is an empty buffer", () => {
  expect(tailOf("a".repeat(5 * KEPT)).bytes().length).toBe(5 * KEPT);
  expect(tailOf().bytes().length).toBe(0);
  expect(tailOf().empty).toBe(true);
});

test.each([1, 163, 164, 327, 328, 329, 2_000])(
  "of an answer of %i chunks enough is kept, and little more",
  (count) => {
    const chunks = Array.from({ length: count }, (_, sent) => `${sent}`.padStart(100, " "));
    const kept = tailOf(...chunks)
      .bytes()
      .toString();
    expect(chunks.join("").endsWith(kept)).toBe(true);
    expect(kept.length).toBeGreaterThanOrEqual(Math.min(KEPT, count * 100));
    expect(kept.length).toBeLessThanOrEqual(2 * KEPT);
  },
);
