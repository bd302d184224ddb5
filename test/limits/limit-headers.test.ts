import { expect, test } from "vitest";
import { formatReset } from "../../src/limits/limit-headers.ts";

test.each([
  [0, "0s"],
  [1, "1s"],
  [1_000, "1s"],
  [59_001, "1m0s"],
  [360_000, "6m0s"],
  [3_600_000, "1h0m0s"],
  [86_399_000, "23h59m59s"],
])("formatReset formats %d ms as %s, as OpenAI does", (ms, text) => {
  expect(formatReset(ms)).toBe(text);
});
