import { expect, test } from "vitest";
import { estimateTokens } from "../../src/limits/token-estimate.ts";

const estimate = (fields: Record<string, unknown>): number =>
  estimateTokens(Buffer.from(JSON.stringify(fields)), fields);
const prompt = (fields: Record<string, unknown>): number => Math.ceil(JSON.stringify(fields).length / 4);

test.each([
  [{}, 0],
  [{ max_tokens: 100 }, 100],
  [{ max_completion_tokens: 100, max_tokens: 30 }, 100],
  [{ max_output_tokens: 100 }, 100],
  [{ max_tokens: 100, n: 3 }, 300],
  [{ max_tokens: -5, n: 1.5 }, 0],
  [{ max_tokens: "100" }, 0],
  [{ max_tokens: null, n: null }, 0],
])("the estimate of %j adds %d tokens to a quarter of its bytes", (fields, output) => {
  expect(estimate(fields)).toBe(prompt(fields) + output);
});

test("the estimate counts a base64 image as 1,000 tokens, whatever its size", () => {
  const withImages = (bytes: number) => ({
    messages: [1, 2].map(() => ({ image_url: { url: `data:image/png;base64,${"A".repeat(bytes)}` } })),
  });
  expect(estimate(withImages(1_000_000))).toBe(estimate(withImages(4)));
  expect(estimate(withImages(4))).toBeGreaterThanOrEqual(2_000);
  expect(estimate(withImages(4))).toBeLessThan(2_050);
});

test("the estimate is a safe integer even for absurd numbers", () => {
  expect(estimate({ max_tokens: Number.MAX_SAFE_INTEGER, n: Number.MAX_SAFE_INTEGER })).toBe(
    Number.MAX_SAFE_INTEGER,
  );
});
