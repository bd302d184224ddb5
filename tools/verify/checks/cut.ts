import type { Socket } from "node:net";
import { sleep } from "../../simulator/http-exchange.ts";
import type { Harness } from "../harness.ts";
import type { ClientCall } from "../client-call.ts";
import { type Check, fail, toOutcome, pass, type CheckOutcome } from "../check.ts";
import {
  beginJson,
  beginStream,
  formatContentChunk,
  KEEP_ALIVE,
  PLAIN_RESPONSE,
  type Responder,
} from "../upstream-responses.ts";

/** Maximum time from the end of upstream's connection to the end of the client's connection. */
const NOTICE_MS = 3_000;
/** Time between the last byte and the end of the connection, so that the last byte is not lost. */
const SETTLE_MS = 50;
const RESEND_MS = 1_000;

const fin = (socket: Socket): void => socket.destroySoon();
const reset = (socket: Socket): void => void socket.resetAndDestroy();

const WORDS = ["first-word", "second-word"];
const EVENTS = WORDS.map(formatContentChunk).join("");
const HALF_EVENT = formatContentChunk("third-word").slice(0, 60);
const HALF_JSON = KEEP_ALIVE + PLAIN_RESPONSE.slice(0, 200);

/** Creates a responder that starts a response, writes `bytes` and ends the connection. */
function createBreakingResponder(begin: Responder, bytes: string, how: (socket: Socket) => void): Responder {
  return async (exchange) => {
    await begin(exchange);
    exchange.write(bytes);
    await sleep(SETTLE_MS);
    exchange.breakConnection(how);
  };
}

async function sendBrokenCall(harness: Harness, stream: boolean, upstream: Responder): Promise<ClientCall> {
  harness.respondWith(upstream);
  const call = harness.sendChat({ stream });
  await call.waitForEnd(NOTICE_MS + SETTLE_MS);
  return call;
}

async function checkEndsBroken(
  harness: Harness,
  stream: boolean,
  upstream: Responder,
): Promise<CheckOutcome> {
  const call = await sendBrokenCall(harness, stream, upstream);
  const { status } = call.response;
  // A gateway that has not sent the head yet may also respond with an error.
  if (call.ending === "whole" && status >= 500) return pass(`status ${status} instead of the response`);
  return toOutcome(call.ending === "cut" || call.ending === "reset", call.summarize());
}

const WHY =
  "every SDK treats a clean end as success, so a program would store and show an incomplete response";
const EXPECTED = `the client's connection ends within ${NOTICE_MS} ms, before the response is complete by its framing`;

/** A response that is shorter than its Content-Length. */
const tooShort: Responder = (exchange) =>
  beginJson(exchange, ["Content-Length", String(Buffer.byteLength(KEEP_ALIVE + PLAIN_RESPONSE))]);

const VISIBLE: readonly Check[] = (
  [
    [
      "stream-fin",
      "a stream that upstream ends without its last chunk",
      true,
      createBreakingResponder(beginStream, EVENTS, fin),
    ],
    [
      "stream-reset",
      "a stream that upstream resets",
      true,
      createBreakingResponder(beginStream, EVENTS, reset),
    ],
    [
      "json-fin",
      "a plain response that upstream ends in the middle",
      false,
      createBreakingResponder(beginJson, HALF_JSON, fin),
    ],
    [
      "json-reset",
      "a plain response that upstream resets",
      false,
      createBreakingResponder(beginJson, HALF_JSON, reset),
    ],
    [
      "short-of-length",
      "a response shorter than its Content-Length",
      false,
      createBreakingResponder(tooShort, HALF_JSON, fin),
    ],
  ] as const
).map(([name, title, stream, upstream]) => ({
  id: `cut/${name}`,
  title: `${title} does not end cleanly`,
  why: WHY,
  expected: EXPECTED,
  run: (harness) => checkEndsBroken(harness, stream, upstream),
}));

/** Whether a text is the data of a complete event: JSON or `[DONE]`. */
function isData(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return text === "[DONE]";
  }
}

const CONTENT: readonly Check[] = [
  {
    id: "cut/no-done",
    title: "no [DONE] is invented for a stream that was cut off",
    why: "[DONE] states that the response is complete",
    expected: "no [DONE]",
    run: async (harness) => {
      const call = await sendBrokenCall(harness, true, createBreakingResponder(beginStream, EVENTS, fin));
      return toOutcome(!call.response.body.includes("[DONE]"), call.summarize());
    },
  },
  {
    id: "cut/bytes-before",
    title: "the client receives the events that arrived before the cut",
    why: "this text is paid for, and may be useful",
    expected: "the client has the text of both events that upstream sent",
    run: async (harness) => {
      const call = await sendBrokenCall(harness, true, createBreakingResponder(beginStream, EVENTS, fin));
      return toOutcome(
        WORDS.every((word) => call.response.body.includes(word)),
        call.summarize(),
      );
    },
  },
  {
    id: "cut/half-event",
    title: "an incomplete event does not become a complete one",
    why: "bytes that a gateway writes after an incomplete event become part of that event, and cause parser errors or wrong text",
    expected: "every event that ends with an empty line is JSON",
    run: async (harness) => {
      const call = await sendBrokenCall(
        harness,
        true,
        createBreakingResponder(beginStream, EVENTS + HALF_EVENT, fin),
      );
      const { status, body } = call.response;
      if (status >= 500) return pass(`status ${status} instead of the response`);
      const whole = body.toString().split("\n\n").slice(0, -1);
      const broken = whole.find((event) => event.startsWith("data: ") && !isData(event.slice(6)));
      return broken === undefined ? pass(call.summarize()) : fail(`an event is ${JSON.stringify(broken)}`);
    },
  },
  {
    id: "cut/sent-once",
    title: "the gateway does not retry a request that it has sent",
    why: "upstream has no idempotency keys, so both attempts may be billed",
    expected: "one request upstream after a connection that closed before any response",
    run: async (harness) => {
      const call = await sendBrokenCall(harness, false, (exchange) => exchange.breakConnection(fin));
      await sleep(RESEND_MS);
      return toOutcome(
        harness.upstreamRequests.length === 1,
        `${harness.upstreamRequests.length} requests; ${call.summarize()}`,
      );
    },
  },
];

/** Checks that a client can see that upstream aborted the response. */
export const CUT_CHECKS: readonly Check[] = [...VISIBLE, ...CONTENT];
