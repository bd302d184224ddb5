import { expect, test } from "vitest";
import { readResponseHead } from "../../src/upstream/response-head.ts";

const head = (headers: Record<string, string | string[]>) => readResponseHead(200, headers);

test.each([
  ["application/json", "application/json"],
  ["Text/Event-Stream ; charset=utf-8", "text/event-stream"],
  [["text/html", "application/json"], "text/html"],
  ["", ""],
])("readResponseHead reads the media type of %j", (contentType, mediaType) => {
  expect(head({ "content-type": contentType }).mediaType).toBe(mediaType);
});

test("readResponseHead ignores a generation id of more than 128 characters, and truncates such a provider name", () => {
  const long = "x".repeat(129);
  expect(head({ "x-generation-id": long, "x-provider-name": long })).toMatchObject({
    generationId: undefined,
    provider: "x".repeat(128),
  });
  expect(head({ "x-generation-id": "gen-1" }).generationId).toBe("gen-1");
  expect(head({ "x-generation-id": "" }).generationId).toBeUndefined();
});

test.each([
  [{ "content-length": "2" }, false],
  [{ "transfer-encoding": "gzip, chunked" }, false],
  [{ "transfer-encoding": "chunked, gzip" }, true],
  [{}, true],
])(
  "readResponseHead detects whether the end of the connection delimits the body of a response with the headers %j",
  (headers, isCloseDelimited) => {
    expect(head(headers).isCloseDelimited).toBe(isCloseDelimited);
  },
);

test.each([
  [undefined, false],
  ["identity", false],
  ["gzip", true],
  [["identity", "gzip"], true],
])("readResponseHead detects whether content-encoding %j encodes the body", (encoding, isEncoded) => {
  expect(head(encoding === undefined ? {} : { "content-encoding": encoding }).isEncoded).toBe(isEncoded);
});
