import { expect, test } from "vitest";
import { boundPromptSize } from "../../src/pricing/prompt-size.ts";
import { boundRenderedTokens } from "../../src/pricing/rendered-size.ts";
import { toRequestBody } from "../support/cost-estimate.ts";

const MESSAGES = [{ role: "user", content: "What is the capital of France?" }];
const TEMPLATE_TOKENS = 1024;
const INSTRUCTION_TOKENS = 1024;
/** Tokens that mark the beginning and the end of a message. */
const MARK_TOKENS = 16;

const boundMaxTokens = (fields: Record<string, unknown>): number | null =>
  boundPromptSize(toRequestBody(fields)).maxTokens;
const countBytes = (fields: Record<string, unknown>): number => toRequestBody(fields).bytes.length;

test("each message adds its bytes and the tokens that mark its beginning and end", () => {
  const one = { messages: MESSAGES };
  const two = { messages: [...MESSAGES, { role: "assistant", content: "Paris." }] };
  expect(boundMaxTokens(one)).toBe(countBytes(one) + TEMPLATE_TOKENS + MARK_TOKENS);
  expect(boundMaxTokens(two)).toBe(countBytes(two) + TEMPLATE_TOKENS + 2 * MARK_TOKENS);
});

test.each([
  ["\\u escapes", `{"messages":[{"role":"user","content":"\\u0041"}]}`, 6],
  ["U+FDFA as an escape", `{"messages":[{"role":"user","content":"\\ufdfa"}]}`, 6],
  ["U+FDFA", `{"messages":[{"role":"user","content":"\ufdfa"}]}`, 11],
  ["encrypted reasoning", `{"messages":[{"role":"assistant","reasoning_details":[]}]}`, 6],
])("a request with %s has %3$d tokens for each byte", (_, json, factor) => {
  const size = boundPromptSize({ fields: JSON.parse(json), bytes: Buffer.from(json) });
  expect(size).toMatchObject({ tokensPerByte: factor });
  expect(size.maxTokens).toBe(factor * Buffer.byteLength(json) + TEMPLATE_TOKENS + MARK_TOKENS);
});

test.each([["tools"], ["functions"]])(
  "%s add their bytes, their rendered tokens and the tokens of instructions",
  (name) => {
    const tool = { type: "function", function: { name: "f", parameters: { type: "object" } } };
    const request = { messages: MESSAGES, [name]: [tool] };
    const rendered = boundRenderedTokens(tool) ?? NaN;
    expect(rendered).toBeGreaterThan(JSON.stringify(tool, null, 4).length);
    expect(boundMaxTokens(request)).toBe(
      countBytes(request) + rendered + INSTRUCTION_TOKENS + TEMPLATE_TOKENS + MARK_TOKENS,
    );
    expect(boundMaxTokens({ messages: MESSAGES, [name]: [] })).toBe(
      countBytes({ messages: MESSAGES, [name]: [] }) + TEMPLATE_TOKENS + MARK_TOKENS,
    );
  },
);

test("response_format adds its rendered tokens and, unless its type is text, the tokens of instructions", () => {
  for (const [type, instructions] of [
    ["json_object", INSTRUCTION_TOKENS],
    ["text", 0],
  ] as const) {
    const request = { messages: MESSAGES, response_format: { type } };
    expect(boundMaxTokens(request)).toBe(
      countBytes(request) +
        (boundRenderedTokens({ type }) ?? NaN) +
        instructions +
        TEMPLATE_TOKENS +
        MARK_TOKENS,
    );
  }
});

test.each([
  [
    "tool_calls",
    { role: "assistant", tool_calls: [{ function: { name: "f", arguments: '{"a":{"b":1}}' } }] },
  ],
  ["function_call", { role: "assistant", function_call: { name: "f", arguments: '{"a":{"b":1}}' } }],
  ["a tool's result", { role: "tool", content: '{"a":{"b":1}}' }],
])("JSON in %s adds its rendered tokens", (_, message) => {
  const request = { messages: [message] };
  const added = (boundMaxTokens(request) ?? NaN) - countBytes(request) - TEMPLATE_TOKENS - MARK_TOKENS;
  // The bound also counts the escapes of the quotes.
  expect(added).toBeGreaterThanOrEqual(boundRenderedTokens({ a: { b: 1 } }) ?? NaN);
  expect(boundMaxTokens({ messages: [{ role: "tool", content: "{no JSON" }] })).not.toBeNull();
});

test("the number of tokens is unbounded for JSON that nests beyond 600 levels", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  expect(boundMaxTokens({ messages: [{ role: "tool", content: nested(500) }] })).not.toBeNull();
  expect(boundMaxTokens({ messages: [{ role: "tool", content: nested(100_000) }] })).toBeNull();
});

test("$ref is not resolved in the arguments of a tool call or as the name of a property", () => {
  expect(boundRenderedTokens({ $ref: "#/none" })).toBeGreaterThan(0);
  const schema = { properties: { $ref: { type: "string" } } };
  expect(boundRenderedTokens(schema, schema)).toBeGreaterThan(0);
  expect(boundRenderedTokens({ $ref: "#/none" }, schema)).toBeUndefined();
});

test("a definition with an escaped name is found, and is counted for each reference", () => {
  const boundTokens = (uses: number) => {
    const schema = {
      $defs: { "a/b~c": { description: "x".repeat(100) } },
      uses: Array.from({ length: uses }, () => ({ $ref: "#/$defs/a~1b~0c" })),
    };
    return boundRenderedTokens(schema, schema) ?? NaN;
  };
  expect(boundTokens(3) - boundTokens(2)).toBeGreaterThan(100);
});

test("the minimum for a text of very long words is at most 2,100 tokens, which o200k needs for it", () => {
  const words =
    " notwithstanding administration telecommunications constitutional responsibilities international organizations";
  const { minTokens } = boundPromptSize(
    toRequestBody({ messages: [{ role: "user", content: words.repeat(300) }] }),
  );
  expect(minTokens).toBeGreaterThan(200);
  expect(minTokens).toBeLessThanOrEqual(2_100);
});

test("the minimum does not count characters that normalization removes or shortens", () => {
  const content = `${" ".repeat(10_000)}${"-".repeat(10_000)}${"a".repeat(10_000)}${"\u200b\u200c".repeat(10_000)}`;
  expect(boundPromptSize(toRequestBody({ messages: [{ role: "user", content }] })).minTokens).toBe(0);
});
