import type { Harness } from "../harness.ts";
import { compareBytes } from "../byte-difference.ts";
import { type Check, fail, type CheckOutcome } from "../check.ts";
import { respondError } from "../upstream-responses.ts";

/** Error bodies as OpenRouter sends them, for all statuses that it documents except 401, which has its own checks. */
const BODIES: Readonly<Record<number, string>> = {
  400: `{"error":{"message":"Invalid request parameters","code":400},"user_id":"user_1"}`,
  402: `{"error":{"message":"Insufficient credits. Add more using https://openrouter.ai/credits","code":402},"user_id":"user_1"}`,
  403: `{"error":{"message":"Your input was flagged","code":403,"metadata":{"reasons":["violence"],"flagged_input":"x","provider_name":"OpenAI","model_slug":"openai/gpt-4o"}}}`,
  404: `{"error":{"message":"No endpoints found that support tool use.","code":404}}`,
  408: `{"error":{"message":"Operation timed out. Please try again later.","code":408}}`,
  413: `{"error":{"message":"Request payload too large","code":413}}`,
  422: `{"error":{"message":"Invalid argument","code":"invalid_argument"}}`,
  429: `{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"openai/gpt-4o is temporarily rate-limited upstream","provider_name":"OpenAI","is_byok":false}},"user_id":"user_1"}`,
  500: `{"error":{"message":"Internal Server Error","code":500}}`,
  502: `{"error":{"message":"Provider returned error","code":502,"metadata":{"provider_name":"OpenAI","raw":"{\\"error\\":{}}"}}}`,
  503: `{"error":{"message":"No instances available","code":503}}`,
  529: `{"error":{"message":"Provider returned error","code":529,"metadata":{"provider_name":"OpenAI"}}}`,
};

const MEGABYTE = 1 << 20;

async function checkErrorRelayed(harness: Harness, status: number, body: string): Promise<CheckOutcome> {
  harness.respondWith(respondError(status, body));
  const { response } = await harness.waitForResponse(harness.sendChat({ stream: false }));
  const bytes = compareBytes("the body", body, response.body);
  return response.status === status ? bytes : fail(`status ${response.status}; ${bytes.got}`);
}

function toCheck([status, body]: [string, string]): Check {
  return {
    id: `status/${status}`,
    title: `upstream's ${status} keeps status and body`,
    why: "clients use status and code to decide whether to wait, add credits, shorten the prompt, or give up",
    expected: `status ${status} with upstream's bytes`,
    run: (harness) => checkErrorRelayed(harness, Number(status), body),
  };
}

const LARGE: Check = {
  id: "status/large-metadata",
  title: "an error with a megabyte of metadata keeps its body",
  why: "OpenRouter puts the text of a parsed file into the error, so that clients need not pay for parsing again",
  expected: "status 400 with upstream's bytes",
  run: (harness) =>
    checkErrorRelayed(
      harness,
      400,
      `{"error":{"message":"Invalid request parameters","code":400,"metadata":{"file_annotations":[{"type":"file","text":"${"x".repeat(MEGABYTE)}"}]}}}`,
    ),
};

const SPELLED: Check = {
  id: "status/odd-spelling",
  title: "an error in an unusual spelling keeps its body",
  why: "OpenRouter includes errors of providers unchanged; a gateway that re-serialises the body changes them",
  expected: "status 400 with upstream's bytes",
  run: (harness) =>
    checkErrorRelayed(harness, 400, `{ "error" : { "code" : 400.0 , "message" : "caf\\u00e9 \\/ x" } }\n`),
};

const IN_STREAM: Check = {
  id: "status/stream-asked",
  title: "an error response to a request for a stream keeps its status and body",
  why: "SDKs do not raise an error inside a stream with status 200; users see an empty response",
  expected: "status 429 with upstream's bytes and application/json",
  run: async (harness) => {
    const body = BODIES[429] ?? "";
    harness.respondWith(respondError(429, body));
    const { response } = await harness.waitForResponse(harness.sendChat({ stream: true }));
    const type = response.readHeader("content-type") ?? "no Content-Type";
    const bytes = compareBytes("the body", body, response.body);
    const right = response.status === 429 && type.startsWith("application/json");
    return right ? bytes : fail(`status ${response.status}, ${type}; ${bytes.got}`);
  },
};

function createRetryAfterCheck(status: number): Check {
  return {
    id: `status/retry-after-${status}`,
    title: `Retry-After of a ${status} reaches the client`,
    why: "without it, clients retry too early and are rejected again",
    expected: `status ${status} with Retry-After: 17`,
    run: async (harness) => {
      harness.respondWith(respondError(status, BODIES[status] ?? "", ["Retry-After", "17"]));
      const { response } = await harness.waitForResponse(harness.sendChat({ stream: false }));
      const value = response.readHeader("retry-after");
      return {
        pass: response.status === status && value === "17",
        got: `status ${response.status} with ${value === undefined ? "no Retry-After" : `Retry-After: ${value}`}`,
      };
    },
  };
}

/** Errors of upstream, which must reach the client unchanged. */
export const STATUS_CHECKS: readonly Check[] = [
  ...Object.entries(BODIES).map(toCheck),
  LARGE,
  SPELLED,
  IN_STREAM,
  ...[402, 429, 503].map(createRetryAfterCheck),
];
