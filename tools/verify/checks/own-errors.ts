import { type Check, toOutcome } from "../check.ts";
import { respondError } from "../upstream-responses.ts";
import { createErrorCheck, type ErrorCase } from "./error-check.ts";

const PAGE = `<!DOCTYPE html>\n<html><head><title>openrouter.ai | 502: Bad gateway</title></head><body><h1>Error 502</h1></body></html>\n`;

const CASES: readonly ErrorCase[] = [
  {
    id: "own-errors/invalid-json",
    title: "a body that is not JSON is a 400",
    why: "SDKs raise BadRequestError for a 400; they retry a 500 twice",
    status: 400,
    buildRequest: (harness) => ({ body: harness.buildChat(false).body.slice(0, -1) }),
    upstream: respondError(400, `{"error":{"message":"Invalid JSON body","code":400}}`),
  },
  {
    id: "own-errors/unknown-url",
    title: "an unknown URL is a 404",
    why: "SDKs raise NotFoundError for a 404 in JSON; a program cannot read a page of HTML",
    status: 404,
    buildRequest: (harness) => ({ ...harness.buildChat(false), path: "/no-such-path" }),
  },
  {
    id: "own-errors/html-page",
    title: "an HTML page from upstream's edge becomes a JSON error with the same status",
    why: "openai-node returns HTML as a string: the error has no message, and the page ends up in the log",
    status: 502,
    buildRequest: (harness) => harness.buildChat(false),
    upstream: (exchange) => {
      exchange.writeHead(502, ["Content-Type", "text/html; charset=UTF-8"]);
      exchange.end(PAGE);
    },
  },
  {
    id: "own-errors/upstream-closed",
    title: "an upstream that closes without a response is a 502",
    why: "SDKs treat a closed connection as a network error: they retry, and pay again",
    status: 502,
    buildRequest: (harness) => harness.buildChat(false),
    upstream: (exchange) => exchange.breakConnection((socket) => socket.destroySoon()),
  },
];

const REQUEST_ID: Check = {
  id: "own-errors/request-id",
  title: "a relayed response has x-request-id too",
  why: "SDKs expose the header as request_id; without it, an operator cannot find a reported request in the log",
  expected: "x-request-id",
  run: async (harness) => {
    const { response } = await harness.waitForResponse(harness.sendChat({ stream: false }));
    const id = response.readHeader("x-request-id");
    return toOutcome(Boolean(id), id ? `x-request-id: ${id}` : "none");
  },
};

/** The gateway's own errors, which OpenAI's SDKs must map to the right class. */
export const OWN_ERROR_CHECKS: readonly Check[] = [...CASES.map(createErrorCheck), REQUEST_ID];
