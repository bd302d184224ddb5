import { UNLIMITED } from "../../src/limits/limit-settings.ts";
import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import type { CallerKey } from "../../src/auth/caller-key.ts";
import { refuseForbiddenModels } from "../../src/auth/model-policy.ts";
import { readChatRequest } from "../support/read-chat-request.ts";
import { measureCpuMs, scaleToMachine, canParseJson } from "../support/cpu.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import { HOSTILE_TEXTS } from "../support/hostile-texts.ts";

/** The maximum number of patterns of one key, each with as many stars as fit. */
const PATTERNS = Array.from({ length: 100 }, (_, index) => `${"*a".repeat(120)}*${index}b*`);
const KEY: CallerKey = {
  id: "key_1",
  name: "bob",
  role: "caller",
  models: PATTERNS,
  aliases: NO_ALIASES,
  onDisconnect: "cancel",
  ...UNLIMITED,
};
const TIMES_JSON_PARSE = 2;
/** Time allowed for the checks of any valid JSON, however little time `JSON.parse` takes. */
const VALID_MIN_MS = 40;
/** Time allowed for the checks of any text that `JSON.parse` rejects, however early it rejects the text. */
const INVALID_MIN_MS = 100;

/** Runs all checks of a body until the model policy rejects it. */
function runChecks(bytes: Buffer): void {
  try {
    refuseForbiddenModels(KEY, readChatRequest(bytes));
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return;
  }
  throw new Error("the checks accepted a model that the key must not use");
}

test.each(HOSTILE_TEXTS)(
  "all checks of %s, including JSON.parse, take at most three times the CPU time of JSON.parse alone",
  // Retries, because another process can evict the CPU caches during a whole attempt.
  { timeout: 240_000, retry: 2 },
  (_, make) => {
    const bytes = Buffer.from(make());
    const isJson = canParseJson(bytes.toString());
    const parsing = measureCpuMs(() => canParseJson(bytes.toString()));
    // The checks include one run of JSON.parse, so the bound is three times its time.
    const allowed = scaleToMachine(isJson ? VALID_MIN_MS : INVALID_MIN_MS);
    const bound = Math.max(allowed, (TIMES_JSON_PARSE + 1) * parsing);
    expect(measureCpuMs(() => runChecks(bytes), bound)).toBeLessThanOrEqual(bound);
  },
);

test.each([
  ["fields", `{"model":"a/b",${Array.from({ length: 1_001 }, (_, i) => `"k${i}":1`).join(",")}}`],
  ["keys", `{"x":{${Array.from({ length: 200_000 }, (_, i) => `"k${i}":1`).join(",")}}}`],
  ["colliding keys", `{"x":{${Array.from({ length: 60_000 }, (_, i) => `"${i * 65_536}":1`).join(",")}}}`],
  ["values", `{"x":[${"1,".repeat(100_001)}1]}`],
])("rejects a body with too many %s as json_too_complex", (_, body) => {
  expect(() => readChatRequest(Buffer.from(body))).toThrow(
    expect.objectContaining({ code: "json_too_complex", status: 400 }),
  );
});

const NAME = "a".repeat(257);

test.each([
  [{ model: NAME }, "model", "256 characters"],
  [{ models: ["a/b", NAME] }, "models[1]", "256 characters"],
  [{ models: Array.from({ length: 65 }, (_, i) => `a/${i}`) }, "models", "64 items"],
  [{ preset: NAME }, "preset", "256 characters"],
  [{ tools: [{ type: "x", parameters: { model: NAME } }] }, "tools[0].parameters.model", "256 characters"],
  [
    { plugins: [{ id: "fusion", model: "a/b", analysis_models: Array(64).fill("a/b") }] },
    "plugins[0].analysis_models[63]",
    "64 models",
  ],
])("names the field and the limit in the error for %j", (fields, param, limit) => {
  const body = JSON.stringify({ model: "a/b", messages: [{ role: "user", content: "hi" }], ...fields });
  expect(() => readChatRequest(Buffer.from(body))).toThrow(
    expect.objectContaining({ code: "invalid_value", param, message: expect.stringContaining(limit) }),
  );
});

test("accepts a conversation of 2,000 messages with tools, tool calls and large results", () => {
  const call = { id: "call_1", type: "function", function: { name: "f", arguments: '{"a":1}' } };
  const text = { type: "text", text: "hello", cache_control: { type: "ephemeral" } };
  const reasoning = { type: "reasoning.text", text: "so", signature: "s", format: "f", index: 0 };
  const turn = [
    { role: "user", content: [text, text] },
    { role: "assistant", content: null, tool_calls: [call, call], reasoning_details: [reasoning] },
    {
      role: "tool",
      tool_call_id: "call_1",
      content: JSON.stringify({ rows: Array.from({ length: 400 }, () => [1, "a"]) }),
    },
    { role: "assistant", content: "done", reasoning_details: [reasoning] },
  ];
  const properties = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`p${i}`, { type: "string", description: "d", enum: ["a", "b"] }]),
  );
  const parameters = { type: "object", properties, required: Object.keys(properties) };
  const tool = { type: "function", function: { name: "f", description: "does", parameters } };
  const body = Buffer.from(
    JSON.stringify({
      model: "a/b",
      messages: Array.from({ length: 500 }, () => turn).flat(),
      tools: Array.from({ length: 128 }, () => tool),
    }),
  );
  expect(readChatRequest(body).body.length).toBe(body.length);
});
