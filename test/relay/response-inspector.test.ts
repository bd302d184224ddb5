import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RESPONSES } from "../fixtures/responses.ts";
import type { ResponseFixture } from "../fixtures/replay.ts";
import { cutIntoPieces, inspectResponse } from "../support/inspect-response.ts";

const USAGE = {
  tokens: {
    prompt_tokens: 8,
    completion_tokens: 3,
    cached_tokens: 0,
    cache_write_tokens: 0,
    reasoning_tokens: 0,
    prompt_audio_tokens: 0,
  },
  costUsd: 0.000_06,
  isByok: false,
};
const SIZES = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5_000 })), {
  minLength: 1,
  maxLength: 12,
});

describe("finds the same fields for any split of a response into chunks", () => {
  test.each(RESPONSES.map((response) => [response.name, response] as const))("%s", (_, response) => {
    const whole = inspectResponse(response, [response.body]);
    fc.assert(
      fc.property(SIZES, (sizes) => {
        expect(inspectResponse(response, cutIntoPieces(response.body, sizes))).toEqual(whole);
      }),
      response.body.length < 16_384 ? { numRuns: 100, examples: [[[1]]] } : { numRuns: 10 },
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
  ["only whitespace", undefined, true],
])(
  "finds the usage, model and provider of %s, and whether it is complete",
  (name, usage, isResponseComplete) => {
    const response = RESPONSES.find((fixture) => fixture.name === name) as ResponseFixture;
    const found = inspectResponse(response, [response.body], {
      ended: response.contentType === "application/json",
    });
    expect([found.usage, found.isResponseComplete]).toEqual([usage, isResponseComplete]);
    const hasModel = name !== "only whitespace";
    expect(found.responseModel).toBe(hasModel ? "a/b-20260101" : undefined);
    expect(found.provider).toBe(hasModel ? "Simulator" : undefined);
  },
);

test("finds the model, provider and id of a document that ends with them, as embeddings do", () => {
  const vector = `[${"0.0123456789,".repeat(10_000)}1]`;
  const json = `{"object":"list","data":[{"model":"x","provider":"x","embedding":${vector}}],"model":"a/b","usage":{"prompt_tokens":7,"cost":1.4e-7},"provider":"OpenAI","id":"gen-emb-2"}`;
  const body = Buffer.from(json);
  for (const sizes of [[body.length], [65_536], [1_000]]) {
    const response = { contentType: "application/json", status: 200 };
    const found = inspectResponse(response, cutIntoPieces(body, sizes), { headers: {} });
    expect(found).toMatchObject({ responseModel: "a/b", provider: "OpenAI", generationId: "gen-emb-2" });
  }
});

test("finds the model after any amount of keep-alive white space, for any split into two chunks", () => {
  const json = '{"id":"gen-1","model":"a/b","choices":[]}';
  for (const spaces of [0, 1, 1_000, 1_024, 5_000])
    for (let cut = 0; cut <= json.length; cut++) {
      const bytes = Buffer.from(" ".repeat(spaces) + json);
      const pieces = [bytes.subarray(0, spaces + cut), bytes.subarray(spaces + cut)];
      const { responseModel } = inspectResponse({ contentType: "application/json", status: 200 }, pieces);
      expect(responseModel, `${spaces} spaces, cut at ${cut}`).toBe("a/b");
    }
});

test("does not keep an endless response in memory", () => {
  const response = { contentType: "application/json", status: 200 };
  const piece = Buffer.from(`"${"x".repeat(65_534)}"`);
  const before = process.memoryUsage().arrayBuffers;
  const found = inspectResponse(response, Array<Buffer>(20_000).fill(piece));
  expect(found).toMatchObject({ usage: undefined, responseModel: undefined });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
});
