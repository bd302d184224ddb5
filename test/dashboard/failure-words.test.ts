import { expect, test } from "vitest";
import { describeFailure } from "../../src/dashboard/page/overview/failure-words.ts";

test.each([
  ["upstream_error", 502, "Anthropic", "error from Anthropic"],
  ["complete", 400, null, "error from OpenRouter"],
  ["upstream_error", 200, "OpenAI", "incomplete response from OpenAI"],
  ["rejected", 402, null, "refused: budget used up"],
  ["rejected", 418, null, "refused by the gateway"],
  ["interrupted", 200, "OpenAI", "gateway process ended"],
])("describes the outcome %s with status %i from %s", (outcome, status, provider, text) => {
  const line = { outcome, status, provider, endpoint: "chat/completions", model: "m" };
  expect(describeFailure({ ...line, requests: 1, last_at: "2026-11-29T00:00:00Z", last_id: "r" })).toBe(text);
});
