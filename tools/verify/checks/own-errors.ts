import { type Check, judged } from "../check.ts";
import { answerError } from "../upstream-answers.ts";
import { chatBody, errorCheck, type ErrorCase } from "./error-check.ts";

const PAGE = `<!DOCTYPE html>\n<html><head><title>openrouter.ai | 502: Bad gateway</title></head><body><h1>Error 502</h1></body></html>\n`;

const CASES: readonly ErrorCase[] = [
  {
    id: "own-errors/invalid-json",
    title: "a body that is not JSON is a 400",
    why: "SDKs raise BadRequestError for it; as a 500 it would be sent two more times",
    status: 400,
    ask: (messages) => ({ body: chatBody(messages).slice(0, -1) }),
    upstream: answerError(400, `{"error":{"message":"Invalid JSON body","code":400}}`),
  },
  {
    id: "own-errors/unknown-url",
    title: "an unknown URL is a 404",
    why: "SDKs raise NotFoundError for it; a page of HTML says nothing to a program",
    status: 404,
    ask: (messages) => ({ body: chatBody(messages), path: "/no-such-path" }),
  },
  {
    id: "own-errors/html-page",
    title: "an HTML page of upstream's edge becomes an error that can be read, with its status",
    why: "openai-node hands HTML back as a string: the error has no message, and the log gets a page",
    status: 502,
    ask: (messages) => ({ body: chatBody(messages) }),
    upstream: (exchange) => {
      exchange.writeHead(502, ["Content-Type", "text/html; charset=UTF-8"]);
      exchange.end(PAGE);
    },
  },
  {
    id: "own-errors/upstream-closed",
    title: "an upstream that closes without an answer is a 502",
    why: "a connection that just closes is a network error to SDKs: they try again, and pay again",
    status: 502,
    ask: (messages) => ({ body: chatBody(messages) }),
    upstream: (exchange) => exchange.breakOff((socket) => socket.destroySoon()),
  },
];

const REQUEST_ID: Check = {
  id: "own-errors/request-id",
  title: "a relayed answer has x-request-id too",
  why: "SDKs show it as request_id; without it a complaint cannot be found in the log",
  expected: "x-request-id",
  run: async (bench) => {
    const { answer } = await bench.whole(bench.chat({ stream: false }));
    const id = answer.header("x-request-id");
    return judged(Boolean(id), id ? `x-request-id: ${id}` : "none");
  },
};

/** What a gateway says of its own: errors that OpenAI's SDKs turn into the right class. */
export const OWN_ERROR_CHECKS: readonly Check[] = [...CASES.map(errorCheck), REQUEST_ID];
