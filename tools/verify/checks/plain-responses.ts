import type { Check } from "../check.ts";
import { beginJson, KEEP_ALIVE, PLAIN_RESPONSE, type Responder } from "../upstream-responses.ts";
import { createResponseCheck, type ResponseVector } from "./response-check.ts";

const PLAIN: readonly ResponseVector[] = [
  {
    name: "plain",
    title: "a plain response",
    why: "a gateway that parses a response and serialises it again loses unknown fields: cost, provider, native_finish_reason",
    parts: [PLAIN_RESPONSE],
  },
  {
    name: "keep-alive-whitespace",
    title: "white space that upstream sends before the JSON to keep the connection alive",
    why: "without the white space, load balancers close the connection while a model thinks for minutes",
    parts: [KEEP_ALIVE, KEEP_ALIVE.repeat(3), PLAIN_RESPONSE],
    gapMs: 5,
  },
  {
    name: "trailing-whitespace",
    title: "white space after the JSON",
    why: "a gateway that removes it has parsed the response, or sends fewer bytes than Content-Length states",
    parts: [PLAIN_RESPONSE, "\n \n"],
  },
  {
    name: "number-spellings",
    title: "numbers as upstream spells them",
    why: "a gateway that reads numbers as doubles changes amounts and ids such as 6e-05 and 9007199254740993",
    parts: [
      `{"id":"gen-1","object":"chat.completion","created":1767225600,"x_id":9007199254740993,"choices":[],"usage":{"cost":6e-05,"total_tokens":21.0}}`,
    ],
  },
  {
    name: "escapes",
    title: "strings as upstream escapes them",
    why: "a gateway that decodes and encodes strings changes or loses lone surrogates and escapes",
    parts: [
      `{"id":"gen-1","object":"chat.completion","created":1767225600,"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"\\u00e9 \\/ \\uD83D cut \\u003c"}}]}`,
    ],
  },
  {
    name: "unknown-fields",
    title: "unknown fields of a response",
    why: "reasoning, images and annotations were once unknown; gateways that relay only known fields lost them for months",
    parts: [
      `{"id":"gen-1","x_new":{"a":[1]},"object":"chat.completion","created":1767225600,"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.encrypted","data":"e30="}],"images":[{"type":"image_url"}],"annotations":[],"x_new":null}}],"openrouter_metadata":{"x":1}}`,
    ],
  },
  {
    name: "error-in-200",
    title: "a 200 whose body is only an error",
    why: "upstream sends the 200 before the model has finished, so only the body can state a later failure",
    parts: [KEEP_ALIVE, `{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"x"}}}`],
  },
];

const SPACED = `${KEEP_ALIVE}${PLAIN_RESPONSE}\n`;

/** A response whose Content-Length includes the white space. */
const withLength: Responder = (exchange) => {
  beginJson(exchange, ["Content-Length", String(Buffer.byteLength(SPACED))]);
  exchange.end(SPACED);
};

const LENGTH: ResponseVector = {
  name: "with-length",
  title: "a response with Content-Length and white space around the JSON",
  why: "a Content-Length that does not match the bytes makes every client hang or fail",
  parts: [SPACED],
};

/** Plain responses with status 200. */
export const PLAIN_RESPONSE_CHECKS: readonly Check[] = [
  ...PLAIN.map((vector) => createResponseCheck(vector, false)),
  createResponseCheck(LENGTH, false, withLength),
];
