import { expect, test } from "vitest";
import { RELAYED_ENDPOINTS } from "../../src/endpoints/relayed-endpoints.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import { readModelRequest } from "../../src/request/model-request.ts";

const shape = RELAYED_ENDPOINTS.find(({ path }) => path === "embeddings")?.request;

function readEmbeddings(items: readonly unknown[]): unknown {
  if (!shape) throw new Error("no endpoint for embeddings");
  const body = Buffer.from(JSON.stringify({ model: "a/b", input: items }));
  return readModelRequest(body, shape, NO_ALIASES).forwardedModel;
}

test("accepts embeddings of 300,000 tokens, and of 20,000 texts", () => {
  expect(readEmbeddings(Array.from({ length: 300_000 }, (_, index) => index))).toBe("a/b");
  expect(readEmbeddings(Array.from({ length: 20_000 }, (_, index) => `text ${index}`))).toBe("a/b");
});

test.each([
  ["values", Array.from({ length: 400_001 }, () => 1)],
  ["strings", Array.from({ length: 50_001 }, () => "a")],
  ["strings", Array.from({ length: 50_001 }, () => ({ a: 1 }))],
])("rejects embeddings with too many %s as json_too_complex", (what, items) => {
  expect(() => readEmbeddings(items)).toThrow(
    expect.objectContaining({ code: "json_too_complex", message: expect.stringContaining(` ${what}`) }),
  );
});
