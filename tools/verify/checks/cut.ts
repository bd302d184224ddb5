import type { Socket } from "node:net";
import { pause } from "../../simulator/exchange.ts";
import type { Bench } from "../bench.ts";
import type { Call } from "../call.ts";
import { type Check, failed, judged, passed, type Outcome } from "../check.ts";
import {
  beginJson,
  beginStream,
  contentChunk,
  KEEP_ALIVE,
  PLAIN_ANSWER,
  type Responder,
} from "../upstream-answers.ts";

/** How long the gateway may keep a client waiting on a connection whose upstream is gone. */
const NOTICE_MS = 3_000;
/** Between the last byte and the break, so that the byte is not lost in it. */
const SETTLE_MS = 50;
const RESEND_MS = 1_000;

const fin = (socket: Socket): void => socket.destroySoon();
const reset = (socket: Socket): void => void socket.resetAndDestroy();

const WORDS = ["first-word", "second-word"];
const EVENTS = WORDS.map(contentChunk).join("");
const HALF_EVENT = contentChunk("third-word").slice(0, 60);
const HALF_JSON = KEEP_ALIVE + PLAIN_ANSWER.slice(0, 200);

/** Begins an answer, writes this much of it, and breaks the connection. */
function breaking(begin: Responder, bytes: string, how: (socket: Socket) => void): Responder {
  return async (exchange) => {
    await begin(exchange);
    exchange.write(bytes);
    await pause(SETTLE_MS);
    exchange.breakOff(how);
  };
}

async function callBroken(bench: Bench, stream: boolean, upstream: Responder): Promise<Call> {
  bench.upstream(upstream);
  const call = bench.chat({ stream });
  await call.over(NOTICE_MS + SETTLE_MS);
  return call;
}

async function endsBroken(bench: Bench, stream: boolean, upstream: Responder): Promise<Outcome> {
  const call = await callBroken(bench, stream, upstream);
  const { status } = call.answer;
  // An error instead of an answer is no success either: a gateway may have waited with the head.
  if (call.ending === "whole" && status >= 500) return passed(`status ${status} instead of the answer`);
  return judged(call.ending === "cut" || call.ending === "reset", call.summary());
}

const WHY = "a clean end is what every SDK takes for success: half an answer is stored, shown, and paid for";
const EXPECTED = `the client's connection ends within ${NOTICE_MS} ms, without the end that the framing promises`;

/** A short answer whose Content-Length promises more. */
const tooShort: Responder = (exchange) =>
  beginJson(exchange, ["Content-Length", String(Buffer.byteLength(KEEP_ALIVE + PLAIN_ANSWER))]);

const VISIBLE: readonly Check[] = (
  [
    [
      "stream-fin",
      "a stream that upstream ends without its last chunk",
      true,
      breaking(beginStream, EVENTS, fin),
    ],
    ["stream-reset", "a stream that upstream resets", true, breaking(beginStream, EVENTS, reset)],
    [
      "json-fin",
      "a plain answer that upstream ends in the middle",
      false,
      breaking(beginJson, HALF_JSON, fin),
    ],
    ["json-reset", "a plain answer that upstream resets", false, breaking(beginJson, HALF_JSON, reset)],
    [
      "short-of-length",
      "an answer shorter than its Content-Length",
      false,
      breaking(tooShort, HALF_JSON, fin),
    ],
  ] as const
).map(([name, title, stream, upstream]) => ({
  id: `cut/${name}`,
  title: `${title} does not end cleanly`,
  why: WHY,
  expected: EXPECTED,
  run: (bench) => endsBroken(bench, stream, upstream),
}));

/** Whether what stands behind `data: ` is fit for a parser. */
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
    why: "[DONE] says that the answer is complete",
    expected: "no [DONE]",
    run: async (bench) => {
      const call = await callBroken(bench, true, breaking(beginStream, EVENTS, fin));
      return judged(!call.answer.body.includes("[DONE]"), call.summary());
    },
  },
  {
    id: "cut/bytes-before",
    title: "what came before the cut is delivered",
    why: "it has been generated, is paid for, and may be worth keeping",
    expected: "the client has the text of both events that upstream sent",
    run: async (bench) => {
      const call = await callBroken(bench, true, breaking(beginStream, EVENTS, fin));
      return judged(
        WORDS.every((word) => call.answer.body.includes(word)),
        call.summary(),
      );
    },
  },
  {
    id: "cut/half-event",
    title: "half an event is not made to look whole",
    why: "what is written behind a half event becomes part of it: valid events of nonsense, or parser errors",
    expected: "every event that ends with an empty line is JSON",
    run: async (bench) => {
      const call = await callBroken(bench, true, breaking(beginStream, EVENTS + HALF_EVENT, fin));
      const { status, body } = call.answer;
      if (status >= 500) return passed(`status ${status} instead of the answer`);
      const whole = body.toString().split("\n\n").slice(0, -1);
      const broken = whole.find((event) => event.startsWith("data: ") && !isData(event.slice(6)));
      return broken === undefined ? passed(call.summary()) : failed(`an event is ${JSON.stringify(broken)}`);
    },
  },
  {
    id: "cut/sent-once",
    title: "a request that was sent is not sent again by itself",
    why: "upstream has no idempotency keys: the first try may be billed, and the second is too",
    expected: "one request upstream after a connection that closed before any answer",
    run: async (bench) => {
      const call = await callBroken(bench, false, (exchange) => exchange.breakOff(fin));
      await pause(RESEND_MS);
      return judged(bench.arrived.length === 1, `${bench.arrived.length} requests; ${call.summary()}`);
    },
  },
];

/** An upstream that breaks off is visible to the client. */
export const CUT_CHECKS: readonly Check[] = [...VISIBLE, ...CONTENT];
