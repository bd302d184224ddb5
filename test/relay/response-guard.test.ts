import { expect, test } from "vitest";
import { checkResponseHead } from "../../src/relay/response-guard.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";

const JSON_TYPE = "application/json";
const checkHead = (status: number, type: string | undefined, usesOperatorKey = true, retryAfter?: string) =>
  checkResponseHead(
    readResponseHead(status, { "content-type": type, "retry-after": retryAfter }),
    usesOperatorKey,
  );

test.each([
  [200, JSON_TYPE],
  [200, "Application/JSON; charset=utf-8"],
  [200, "text/event-stream"],
  [200, "TEXT/EVENT-STREAM ;charset=utf-8"],
  [299, JSON_TYPE],
  [400, JSON_TYPE],
  [400, "text/plain"],
  [403, undefined],
  [502, "application/xhtml+xml"],
  [599, JSON_TYPE],
])("relays a response of status %i and type %s", (status, type) => {
  expect(checkHead(status, type)).toBeUndefined();
});

const WRONG_TYPE =
  "OpenRouter's response is neither JSON nor an event stream; the request may have been billed.";
const REDIRECT =
  "OpenRouter responded with a redirect, which the gateway does not follow; the operator should check OPENROUTER_BASE_URL.";
const INVALID_STATUS = "OpenRouter responded with the invalid status 600.";

test.each([
  [200, undefined, WRONG_TYPE],
  [200, "", WRONG_TYPE],
  [200, "text/html", WRONG_TYPE],
  [200, "text/plain; application/json", WRONG_TYPE],
  [200, "application/jsonl", WRONG_TYPE],
  [299, "text/html", WRONG_TYPE],
  [300, JSON_TYPE, REDIRECT],
  [399, "text/event-stream", REDIRECT],
  [600, JSON_TYPE, INVALID_STATUS],
])("rejects a response of status %i and type %s with the reason in the message", (status, type, message) => {
  expect(checkHead(status, type)).toMatchObject({ code: "upstream_bad_response", status: 502, message });
});

test("replaces upstream's 401 for the gateway's own key, and relays a 401 for the client's key and any 403", () => {
  expect(checkHead(401, JSON_TYPE)).toMatchObject({
    code: "upstream_auth_failed",
    message: "OpenRouter rejected the gateway's own key; the operator has to set a valid OPENROUTER_API_KEY.",
  });
  expect(checkHead(401, JSON_TYPE, false)).toBeUndefined();
  expect(checkHead(403, JSON_TYPE)).toBeUndefined();
});

test.each(["text/html", "Text/HTML; charset=UTF-8"])(
  "keeps only the status and Retry-After of a web page (%s) from OpenRouter's edge",
  (type) => {
    const error = checkHead(400, type);
    expect(error).toMatchObject({
      code: "upstream_error",
      status: 400,
      message: "OpenRouter's edge responded with status 400 and a web page.",
    });
    expect(error?.headers).toStrictEqual({});
    expect(checkHead(429, type, true, "30")?.headers).toEqual({ "retry-after": "30" });
    expect(checkHead(503, type, true, "30")).toMatchObject({
      message:
        "OpenRouter's edge responded with status 503 and a web page; the request may have been billed.",
      headers: { "retry-after": "30", "x-should-retry": "false" },
    });
  },
);

test("forbids a retry after a web page unless its status proves that OpenRouter executed nothing", () => {
  const statuses = [400, 402, 403, 404, 408, 413, 429, 499, 500, 501, 502, 503, 504, 520, 521, 522, 523, 524];
  const forbidden = [...statuses, 525, 526, 527, 529, 530, 599].filter(
    (status) => checkHead(status, "text/html")?.headers["x-should-retry"] === "false",
  );
  expect(forbidden).toEqual([408, 499, 500, 501, 502, 503, 504, 520, 522, 524, 527, 529, 530, 599]);
});
