import { expect, test } from "vitest";
import { describeResult } from "../../src/dashboard/page/format/outcomes.ts";

test.each([
  ["complete", 200, "OpenAI", "complete"],
  ["complete", 418, null, "error from OpenRouter"],
  ["client_gone", 200, "OpenAI", "cancelled by the client"],
  ["upstream_error", 429, null, "rate limited by OpenRouter"],
  ["upstream_error", 502, "Anthropic", "error from Anthropic"],
  ["upstream_error", 504, null, "timed out at OpenRouter"],
  ["upstream_error", 200, "OpenAI", "response from OpenAI broke off"],
  ["rejected", 402, null, "refused: budget used up"],
  ["rejected", 429, null, "refused: limit of the key or group reached"],
  ["rejected", 418, null, "refused by the gateway"],
  ["interrupted", 200, "OpenAI", "interrupted: the gateway process ended"],
] as const)("describes the outcome %s with status %i of %s", (outcome, status, provider, text) => {
  expect(describeResult({ outcome, status, provider })).toBe(text);
});
