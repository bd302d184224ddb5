import type { Harness } from "../harness.ts";
import { compareBytes } from "../byte-difference.ts";
import { type Check, fail, type CheckOutcome } from "../check.ts";
import { respondError } from "../upstream-responses.ts";

/** Error bodies as OpenRouter sends them, for each documented status except 401, which concerns the key. */
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
    why: "programs decide by status and code whether to wait, add credits, shorten the prompt, or fail",
    expected: `status ${status} with upstream's bytes`,
    run: (harness) => checkErrorRelayed(harness, Number(status), body),
  };
}

const LARGE: Check = {
  id: "status/large-metadata",
  title: "an error with a megabyte of metadata keeps its body",
  why: "if a request fails after a file was parsed, the error contains the text of the file, so that the work is not lost",
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
  why: "OpenRouter relays errors of providers as they are; a gateway that parses and serialises them changes them",
  expected: "status 400 with upstream's bytes",
  run: (harness) =>
    checkErrorRelayed(harness, 400, `{ "error" : { "code" : 400.0 , "message" : "caf\\u00e9 \\/ x" } }\n`),
};

const IN_STREAM: Check = {
  id: "status/stream-asked",
  title: "an error response to a streaming request keeps status and body",
  why: "an SDK does not raise an error for an error inside a 200 stream: it returns an empty response",
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
    why: "without the header, clients retry too early and are rejected again",
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

/** Checks that the client receives errors of upstream unchanged. */
export const STATUS_CHECKS: readonly Check[] = [
  ...Object.entries(BODIES).map(toCheck),
  LARGE,
  SPELLED,
  IN_STREAM,
  ...[402, 429, 503].map(createRetryAfterCheck),
];
