import { expect, test } from "vitest";
import { parseUsage } from "../../src/metering/usage.ts";

const GIVEN = {
  prompt_tokens: 12,
  completion_tokens: 34,
  total_tokens: 46,
  cost: 0.000_06,
  is_byok: false,
  prompt_tokens_details: { cached_tokens: 5, cache_write_tokens: 1, audio_tokens: 2 },
  cost_details: { upstream_inference_cost: 0.01 },
  completion_tokens_details: { reasoning_tokens: 6 },
};

test("parseUsage reads tokens and cost from the usage of a response", () => {
  expect(parseUsage(GIVEN)).toEqual({
    tokens: {
      prompt_tokens: 12,
      completion_tokens: 34,
      cached_tokens: 5,
      cache_write_tokens: 1,
      reasoning_tokens: 6,
      prompt_audio_tokens: 2,
    },
    costUsd: 0.000_06,
    isByok: false,
    upstreamInferenceUsd: 0.01,
  });
});

test.each([undefined, null, 7, "12", true, [], {}, { seconds: 7 }, { cost: null, input_tokens: null }])(
  "parseUsage finds no usage in %j",
  (value) => {
    expect(parseUsage(value)).toBeUndefined();
  },
);

test.each<[given: string, read: object]>([
  [
    '{"prompt_tokens":7}',
    { tokens: { prompt_tokens: 7, completion_tokens: 0, cached_tokens: 0 }, costUsd: undefined },
  ],
  ['{"cost":0}', { tokens: { prompt_tokens: 0, completion_tokens: 0 }, costUsd: 0 }],
  ['{"cost":"0.5","prompt_tokens":"7"}', { tokens: { prompt_tokens: 0 }, costUsd: undefined }],
  [
    '{"cost":-1,"prompt_tokens":-7,"completion_tokens":1e400}',
    { tokens: { prompt_tokens: 0, completion_tokens: 0 } },
  ],
  ['{"cost":1e999,"prompt_tokens":1}', { tokens: { prompt_tokens: 1 }, costUsd: undefined }],
  [
    '{"prompt_tokens":1,"prompt_tokens_details":null,"completion_tokens_details":7}',
    { tokens: { cached_tokens: 0 } },
  ],
  ['{"prompt_tokens":1e300,"cost":1e300}', { tokens: { prompt_tokens: 0 }, costUsd: undefined }],
  [
    '{"prompt_tokens":9007199254740992,"cost":1000000.01}',
    { tokens: { prompt_tokens: 0 }, costUsd: undefined },
  ],
  ['{"prompt_tokens":1000000000000,"cost":1000000}', { tokens: { prompt_tokens: 1e12 }, costUsd: 1e6 }],
  [
    '{"prompt_tokens":1.5,"completion_tokens":1000000000001}',
    { tokens: { prompt_tokens: 2, completion_tokens: 0 } },
  ],
  [
    '{"cost":1,"is_byok":true,"cost_details":{"upstream_inference_cost":0.25}}',
    { isByok: true, upstreamInferenceUsd: 0.25 },
  ],
  [
    '{"cost":1,"is_byok":1,"cost_details":{"upstream_inference_cost":-1}}',
    { isByok: undefined, upstreamInferenceUsd: undefined },
  ],
  [
    '{"cost":1,"cost_details":{"upstream_inference_cost":null}}',
    { tokens: { cache_write_tokens: 0 }, isByok: undefined, upstreamInferenceUsd: undefined },
  ],
  ['{"prompt_tokens":1,"note":"}\\"{"}', { tokens: { prompt_tokens: 1 } }],
  ['{"prompt_tokens":1,"__proto__":{"cost":9}}', { tokens: { prompt_tokens: 1 }, costUsd: undefined }],
])("parseUsage accepts only valid numbers from %s", (given, expected) => {
  expect(parseUsage(JSON.parse(given))).toMatchObject(expected);
});
