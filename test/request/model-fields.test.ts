import { expect, test } from "vitest";
import { RELAYED_ENDPOINTS } from "../../src/endpoints/relayed-endpoints.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import { readModelRequest } from "../../src/request/model-request.ts";

const FIELDS = {
  model: "a/b",
  messages: [{ role: "user", content: "Hello" }],
  prompt: "Hello",
  input: "Hello",
  query: "Hello",
  documents: ["Hello"],
};
/** In OpenAI's Responses API, `prompt` is an object. */
const OWN_FIELDS: Readonly<Record<string, object>> = { responses: { prompt: undefined } };

test.each(
  RELAYED_ENDPOINTS.flatMap((endpoint) =>
    [
      { models: [1, "c/d"] },
      { models: [null, "c/d"] },
      { models: [{}, "openrouter/c/d"] },
      { models: { 0: "openrouter/c/d" } },
      { models: "c/d" },
      { preset: 1 },
      { preset: {} },
    ].map((fields) => [endpoint.path, fields, endpoint] as const),
  ),
)("refuses a request to %s with %j", (path, fields, { request }) => {
  const body = Buffer.from(JSON.stringify({ ...FIELDS, ...OWN_FIELDS[path], ...fields }));
  expect(() => readModelRequest(body, request, NO_ALIASES)).toThrow(
    expect.objectContaining({ code: "invalid_type" }),
  );
});
