import { expect, test } from "vitest";
import { promptSize } from "../../src/pricing/prompt-size.ts";

const TEXT = "What is the capital of France?";
const MESSAGES = [{ role: "user", content: TEXT }];
const PLAIN = promptSize({ messages: MESSAGES }).mostTokens;

test("every message adds marks, and its other fields their JSON", () => {
  const tool_calls = [{ id: "1", type: "function", function: { name: "f", arguments: "{}" } }];
  const messages = [...MESSAGES, { role: "assistant", content: null, tool_calls }];
  expect(promptSize({ messages }).mostTokens).toBe(PLAIN + 16 + JSON.stringify({ tool_calls }).length);
});

test("tools add their JSON and what providers say about tools", () => {
  const tools = [{ type: "function", function: { name: "f", parameters: { type: "object" } } }];
  expect(promptSize({ messages: MESSAGES, tools }).mostTokens).toBe(
    PLAIN + 1024 + JSON.stringify(tools).length,
  );
  expect(promptSize({ messages: MESSAGES, tools: [] }).mostTokens).toBe(PLAIN);
});

test("the format of the answer adds its JSON", () => {
  const response_format = { type: "json_object" };
  expect(promptSize({ messages: MESSAGES, response_format }).mostTokens).toBe(
    PLAIN + JSON.stringify(response_format).length,
  );
});

test("a text of the longest words has at least the tokens that are promised, and o200k makes 2,100 of it", () => {
  const words =
    " notwithstanding administration telecommunications constitutional responsibilities international organizations";
  const { leastTokens } = promptSize({ messages: [{ role: "user", content: words.repeat(300) }] });
  expect(leastTokens).toBeGreaterThan(1_000);
  expect(leastTokens).toBeLessThanOrEqual(2_100);
});

test("a run of one character may be a single token", () => {
  const content = `${" ".repeat(10_000)}${"-".repeat(10_000)}`;
  expect(promptSize({ messages: [{ role: "user", content }] }).leastTokens).toBe(0);
});
