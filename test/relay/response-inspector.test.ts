import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ANSWERS } from "../fixtures/answers.ts";
import type { Answer } from "../fixtures/replay.ts";
import { piecesOf, readAnswer } from "../support/inspect-response.ts";

const USAGE = {
  promptTokens: 8,
  completionTokens: 3,
  cachedTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  costUsd: 0.000_06,
  isByok: false,
};
const SIZES = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5_000 })), {
  minLength: 1,
  maxLength: 12,
});

describe("Reading finds the same however an answer is split", () => {
  test.each(ANSWERS.map((answer) => [answer.name, answer] as const))("%s", (_, answer) => {
    const whole = readAnswer(answer, [answer.body]);
    fc.assert(
      fc.property(SIZES, (sizes) => {
        expect(readAnswer(answer, piecesOf(answer.body, sizes))).toEqual(whole);
      }),
      answer.body.length < 16_384 ? { numRuns: 100, examples: [[[1]]] } : { numRuns: 10 },
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
  ["white space before the JSON", USAGE, true],
  ["white space after the JSON", USAGE, true],
  ["images", USAGE, true],
  ["nothing but white space", undefined, true],
])(
  "Reading finds usage, model and provider of %s, and whether it is complete",
  (name, usage, answeredWhole) => {
    const answer = ANSWERS.find((one) => one.name === name) as Answer;
    const found = readAnswer(answer, [answer.body], { ended: answer.contentType === "application/json" });
    expect([found.usage, found.answeredWhole]).toEqual([usage, answeredWhole]);
    const named = name !== "nothing but white space";
    expect(found.responseModel).toBe(named ? "a/b-20260101" : undefined);
    expect(found.provider).toBe(named ? "Simulator" : undefined);
  },
);

test("Reading finds the model after any keep-alive white space, wherever a piece ends", () => {
  const json = '{"id":"gen-1","model":"a/b","choices":[]}';
  for (const spaces of [0, 1, 1_000, 1_024, 5_000])
    for (let cut = 0; cut <= json.length; cut++) {
      const bytes = Buffer.from(" ".repeat(spaces) + json);
      const pieces = [bytes.subarray(0, spaces + cut), bytes.subarray(spaces + cut)];
      const { responseModel } = readAnswer({ contentType: "application/json", status: 200 }, pieces);
      expect(responseModel, `${spaces} spaces, cut at ${cut}`).toBe("a/b");
    }
});

test("Reading does not keep an endless answer", () => {
  const answer = { contentType: "application/json", status: 200 };
  const piece = Buffer.from(`"${"x".repeat(65_534)}"`);
  const before = process.memoryUsage().arrayBuffers;
  const found = readAnswer(answer, Array<Buffer>(20_000).fill(piece));
  expect(found).toMatchObject({ usage: undefined, responseModel: undefined });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
});
