import type { FastifyReply, FastifyRequest } from "fastify";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Exchange } from "../../src/http/exchange.ts";
import { Reading } from "../../src/relay/reading.ts";
import { ANSWERS } from "../fixtures/answers.ts";
import type { Answer } from "../fixtures/replay.ts";

const USAGE = {
  promptTokens: 8,
  completionTokens: 3,
  cachedTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  costUsd: 0.000_06,
  isByok: false,
};
/** What is kept of the end of an answer for sure. */
const KEPT_BYTES = 16_384;

/** What is read of an answer that comes in these pieces. */
function read(answer: Pick<Answer, "contentType" | "status">, pieces: readonly Buffer[]) {
  const request = { id: "r-1", method: "POST", routeOptions: { url: "/" } } as FastifyRequest;
  const exchange = new Exchange(request, { raw: {} } as FastifyReply, () => {});
  const reading = new Reading();
  const headers = {
    "content-type": answer.contentType,
    "x-generation-id": "gen-1",
  };
  reading.begin({ status: answer.status, headers }, exchange);
  for (const piece of pieces) reading.push(piece);
  const { cutShort, hasError } = reading;
  reading.conclude(exchange);
  const { usage, modelAnswered, answeredWhole, generationId, provider, upstreamStatus } = exchange;
  return {
    usage,
    modelAnswered,
    answeredWhole,
    generationId,
    provider,
    upstreamStatus,
    cutShort,
    hasError,
  };
}

function piecesOf(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, count = 0; at < bytes.length; count++) {
    const size = sizes[count % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

const SIZES = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5_000 })), {
  minLength: 1,
  maxLength: 12,
});

describe("what is read of an answer is the same however it comes in pieces", () => {
  test.each(ANSWERS.map((answer) => [answer.name, answer] as const))("%s", (_, answer) => {
    const short = answer.body.length <= KEPT_BYTES;
    // An error of before what is kept may be seen or not.
    const seen = (pieces: readonly Buffer[]) => {
      const { hasError, ...rest } = read(answer, pieces);
      return { ...rest, hasError: short && hasError };
    };
    const whole = seen([answer.body]);
    fc.assert(
      fc.property(SIZES, (sizes) => {
        expect(seen(piecesOf(answer.body, sizes))).toEqual(whole);
      }),
      short ? { numRuns: 100, examples: [[[1]]] } : { numRuns: 10 },
    );
  });
});

test.each([
  ["a stream", USAGE, true],
  ["a stream with CRLF", USAGE, true],
  ["a stream that ends with empty choices", USAGE, true],
  ["a stream with a debug chunk first", USAGE, true],
  ["a stream that never says that it is done", USAGE, false],
  ["a stream with an error in its middle", undefined, true],
  ["white space before the JSON", USAGE, false],
  ["white space after the JSON", USAGE, false],
  ["images", USAGE, false],
  ["nothing but white space", undefined, false],
])(
  "of %s its usage, its model and its provider are read, and whether it came to its end",
  (name, usage, answeredWhole) => {
    const answer = ANSWERS.find((one) => one.name === name) as Answer;
    const found = read(answer, [answer.body]);
    expect([found.usage, found.answeredWhole]).toEqual([usage, answeredWhole]);
    const named = name !== "nothing but white space";
    expect(found.modelAnswered).toBe(named ? "a/b-20260101" : undefined);
    expect(found.provider).toBe(named ? "Simulator" : undefined);
  },
);

test("the model is found behind any white space that keeps a long call alive, wherever a piece ends", () => {
  const json = '{"id":"gen-1","model":"a/b","choices":[]}';
  for (const spaces of [0, 1, 1_000, 1_024, 5_000])
    for (let cut = 0; cut <= json.length; cut++) {
      const bytes = Buffer.from(" ".repeat(spaces) + json);
      const pieces = [bytes.subarray(0, spaces + cut), bytes.subarray(spaces + cut)];
      const { modelAnswered } = read({ contentType: "application/json", status: 200 }, pieces);
      expect(modelAnswered, `${spaces} spaces, cut at ${cut}`).toBe("a/b");
    }
});

test("an endless answer is not kept", () => {
  const answer = { contentType: "application/json", status: 200 };
  const piece = Buffer.from(`"${"x".repeat(65_534)}"`);
  const before = process.memoryUsage().arrayBuffers;
  const found = read(answer, Array<Buffer>(20_000).fill(piece));
  expect(found).toMatchObject({ usage: undefined, modelAnswered: undefined });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
});
