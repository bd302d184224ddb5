import { UNLIMITED } from "../../src/limits/limit-settings.ts";
import { expect, test } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import type { CallerKey } from "../../src/auth/caller-key.ts";
import { refuseForbiddenModels } from "../../src/auth/model-policy.ts";
import { readChatRequest } from "../support/read-chat-request.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import { buildChatBody } from "../support/chat-request.ts";

const createKey = (models: string[] | null): CallerKey => ({
  id: "key_1",
  name: "bob",
  role: "caller",
  models,
  aliases: NO_ALIASES,
  onDisconnect: "cancel",
  ...UNLIMITED,
});

/** @returns the error that refuses a request, or undefined if the key may send the request. */
function findRefusal(models: string[] | null, fields: Record<string, unknown>): GatewayError | undefined {
  const request = readChatRequest(Buffer.from(buildChatBody(fields)));
  try {
    refuseForbiddenModels(createKey(models), request);
    return undefined;
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
}

const GOOGLE = "google/gemini-3-flash-preview";
const ADVISOR = { type: "openrouter:advisor", parameters: { model: "anthropic/claude-opus-4" } };

test.each([
  [{ model: "openai/gpt-4o" }, "model"],
  [{ model: "openrouter/openai/gpt-4o" }, "model"],
  [{ model: GOOGLE, models: ["openai/gpt-4o"] }, "model"],
  [{ model: null, models: [GOOGLE, "openrouter/openai/gpt-4o"] }, "model"],
  [{ model: `${GOOGLE}@preset/x` }, "model"],
  [{ model: "@preset/x" }, "model"],
  [{ model: "openrouter/@preset/x" }, "model"],
  [{ model: GOOGLE, preset: "x" }, "preset"],
  [{ model: null, preset: "x" }, "preset"],
  [{ model: GOOGLE, tools: [ADVISOR] }, "tools[0].parameters.model"],
  [{ model: GOOGLE, plugins: [{ id: "fusion" }] }, "plugins[0].analysis_models"],
  [{ model: GOOGLE, models: ["openai/gpt-4o"], speed: "fast" }, "model"],
])("refuses %j for a key whose pattern is google/*", (fields, param) => {
  expect(findRefusal(["google/*"], fields)).toMatchObject({ code: "model_not_allowed", status: 403, param });
  expect(findRefusal(null, fields)).toBeUndefined();
});

test.each([
  [["google/*"], { model: GOOGLE }],
  [["google/*"], { model: `openrouter/${GOOGLE}` }],
  [["google/*", "*:free"], { model: GOOGLE, models: ["a/b:free"] }],
  [["@preset/x"], { model: "@preset/x" }],
  [["@preset/x"], { model: null, preset: "x" }],
  [["google/*", "anthropic/*"], { model: GOOGLE, tools: [ADVISOR] }],
])("a key with the patterns %j may send %j", (models, fields) => {
  expect(findRefusal(models, fields)).toBeUndefined();
});

test.each([
  [{ model: "anthropic/claude-opus-5", speed: "fast" }],
  [{ model: "openrouter/anthropic/claude-opus-5", speed: "of-tomorrow" }],
  [{ model: GOOGLE, models: ["anthropic/claude-opus-5:nitro"], speed: "fast" }],
])("a key that may not use the -fast model may not request it with the field speed: %j", (fields) => {
  const models = ["anthropic/claude-opus-5", "anthropic/claude-opus-5:nitro", "google/*"];
  expect(findRefusal(models, fields)).toMatchObject({
    code: "model_not_allowed",
    status: 403,
    param: "speed",
  });
  expect(findRefusal([...models, "anthropic/claude-opus-5-fast*"], fields)).toBeUndefined();
  expect(findRefusal(models, { ...fields, speed: "standard" })).toBeUndefined();
  expect(findRefusal(models, { ...fields, speed: null })).toBeUndefined();
});

test("a client without a gateway key may use every model", () => {
  expect(() => refuseForbiddenModels(undefined, readChatRequest(Buffer.from(buildChatBody())))).not.toThrow();
});

test("refuses a request without a model, because OpenRouter would use the account's default", () => {
  const withoutModel = { models: [], preset: undefined };
  expect(() => refuseForbiddenModels(createKey(["*"]), withoutModel)).toThrow(/a request without a model/);
});

test("the error lists at most five patterns of the key, and not the requested model", () => {
  const models = ["a/1", "a/2", "a/3", "a/4", "a/5", "a/6"];
  const message = findRefusal(models, { model: "secret/name" })?.message ?? "";
  expect(message).toContain("a/1, a/2, a/3, a/4, a/5, …");
  expect(message).not.toContain("a/6");
  expect(message).not.toContain("secret/name");
});
