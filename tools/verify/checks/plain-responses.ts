import type { Check } from "../check.ts";
import { beginJson, KEEP_ALIVE, PLAIN_RESPONSE, type Responder } from "../upstream-responses.ts";
import { createResponseCheck, type ResponseVector } from "./response-check.ts";

const PLAIN: readonly ResponseVector[] = [
  {
    name: "plain",
    title: "a plain response",
    why: "what is parsed and written again loses what the writer does not know: cost, provider, native_finish_reason",
    parts: [PLAIN_RESPONSE],
  },
  {
    name: "keep-alive-whitespace",
    title: "white space that upstream sends before the JSON to keep the connection alive",
    why: "it is what keeps load balancers from cutting a call whose model thinks for minutes",
    parts: [KEEP_ALIVE, KEEP_ALIVE.repeat(3), PLAIN_RESPONSE],
    gapMs: 5,
  },
  {
    name: "trailing-whitespace",
    title: "white space after the JSON",
    why: "a response that is trimmed was parsed, or has a length that does not fit",
    parts: [PLAIN_RESPONSE, "\n \n"],
  },
  {
    name: "number-spellings",
    title: "numbers as upstream spells them",
    why: "money and ids must not pass through a double: 6e-05 and 9007199254740993 come out as others",
    parts: [
      `{"id":"gen-1","object":"chat.completion","created":1767225600,"x_id":9007199254740993,"choices":[],"usage":{"cost":6e-05,"total_tokens":21.0}}`,
    ],
  },
  {
    name: "escapes",
    title: "strings as upstream escapes them",
    why: "half surrogate pairs and escapes change or vanish when strings are decoded and encoded",
    parts: [
      `{"id":"gen-1","object":"chat.completion","created":1767225600,"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"\\u00e9 \\/ \\uD83D cut \\u003c"}}]}`,
    ],
  },
  {
    name: "unknown-fields",
    title: "fields of a response that nobody knows",
    why: "reasoning, images and annotations were once unknown fields, and gateways with lists lost them for months",
    parts: [
      `{"id":"gen-1","x_new":{"a":[1]},"object":"chat.completion","created":1767225600,"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.encrypted","data":"e30="}],"images":[{"type":"image_url"}],"annotations":[],"x_new":null}}],"openrouter_metadata":{"x":1}}`,
    ],
  },
  {
    name: "error-in-200",
    title: "a 200 whose body is only an error",
    why: "the 200 leaves before the model has finished; a later failure can only be said in the body",
    parts: [KEEP_ALIVE, `{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"x"}}}`],
  },
];

const SPACED = `${KEEP_ALIVE}${PLAIN_RESPONSE}\n`;

/** A response with a Content-Length that counts the white space too. */
const withLength: Responder = (exchange) => {
  beginJson(exchange, ["Content-Length", String(Buffer.byteLength(SPACED))]);
  exchange.end(SPACED);
};

const LENGTH: ResponseVector = {
  name: "with-length",
  title: "a response with Content-Length and white space around the JSON",
  why: "a length that is passed on without the bytes that it counts hangs or breaks every client",
  parts: [SPACED],
};

/** Plain responses with status 200. */
export const PLAIN_RESPONSE_CHECKS: readonly Check[] = [
  ...PLAIN.map((vector) => createResponseCheck(vector, false)),
  createResponseCheck(LENGTH, false, withLength),
];
