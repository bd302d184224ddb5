import { sleep } from "../../simulator/http-exchange.ts";
import { type Check, toOutcome } from "../check.ts";
import {
  beginJson,
  beginStream,
  formatContentChunk,
  KEEP_ALIVE,
  PLAIN_RESPONSE,
  type Responder,
} from "../upstream-responses.ts";
import {
  checkEndsBroken,
  createBreakingResponder,
  fin,
  judgeEvents,
  NOTICE_MS,
  reset,
  sendBrokenCall,
} from "./broken-call.ts";

const RESEND_MS = 1_000;

const WORDS = ["first-word", "second-word"];
const EVENTS = WORDS.map(formatContentChunk).join("");
const HALF_EVENT = formatContentChunk("third-word").slice(0, 60);
const HALF_JSON = KEEP_ALIVE + PLAIN_RESPONSE.slice(0, 200);

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
  run: (harness) => checkEndsBroken(harness, harness.buildChat(stream), upstream),
}));

const CONTENT: readonly Check[] = [
  {
    id: "cut/no-done",
    title: "no [DONE] is invented for a stream that was cut off",
    why: "[DONE] states that the response is complete",
    expected: "no [DONE]",
    run: async (harness) => {
      const call = await sendBrokenCall(
        harness,
        harness.buildChat(true),
        createBreakingResponder(beginStream, EVENTS, fin),
      );
      return toOutcome(!call.response.body.includes("[DONE]"), call.summarize());
    },
  },
  {
    id: "cut/bytes-before",
    title: "the client receives the events that arrived before the cut",
    why: "this text is paid for, and may be useful",
    expected: "the client has the text of both events that upstream sent",
    run: async (harness) => {
      const call = await sendBrokenCall(
        harness,
        harness.buildChat(true),
        createBreakingResponder(beginStream, EVENTS, fin),
      );
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
        harness.buildChat(true),
        createBreakingResponder(beginStream, EVENTS + HALF_EVENT, fin),
      );
      return judgeEvents(call);
    },
  },
  {
    id: "cut/sent-once",
    title: "the gateway does not retry a request that it has sent",
    why: "upstream has no idempotency keys, so both attempts may be billed",
    expected: "one request upstream after a connection that closed before any response",
    run: async (harness) => {
      const call = await sendBrokenCall(harness, harness.buildChat(false), (exchange) =>
        exchange.breakConnection(fin),
      );
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
