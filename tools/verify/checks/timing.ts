import { type HttpExchange, sleep } from "../../simulator/http-exchange.ts";
import type { Harness } from "../harness.ts";
import type { ClientCall } from "../client-call.ts";
import { type Check, toOutcome, type CheckOutcome } from "../check.ts";
import {
  beginJson,
  beginStream,
  COMMENT,
  formatContentChunk,
  KEEP_ALIVE,
  PLAIN_RESPONSE,
  type Responder,
  STREAM_END,
} from "../upstream-responses.ts";

/** Maximum time from the moment when upstream sends a byte until it reaches the client. */
const LATE_MS = 250;
const SILENCE_MS = 1_500;
const UNITS = 20;
const UNIT_GAP_MS = 100;

/** Parts of the body and when they were sent. `sign` is a text that occurs only in this part, or the body's length up to it. */
type Sent = { readonly sign: string | number; readonly atMs: number }[];

/**
 * Returns the longest delay of any part; infinite if a part did not arrive. It searches for texts and not for whole events,
 * because a gateway may rewrite events without delaying them.
 */
function findLatestMs(sent: Sent, call: ClientCall): number {
  const { body, arrivals } = call.response;
  const lateness = sent.map(({ sign, atMs }) => {
    const at = typeof sign === "number" ? sign - 1 : body.indexOf(sign);
    const arrival = at < 0 ? undefined : arrivals.find(({ bodyBytes }) => bodyBytes > at);
    return arrival === undefined ? Number.POSITIVE_INFINITY : arrival.atMs - atMs;
  });
  return Math.max(...lateness);
}

function judgeLateness(lateMs: number, what: string): CheckOutcome {
  const delay = Number.isFinite(lateMs) ? `after ${Math.max(0, Math.round(lateMs))} ms` : "never";
  return toOutcome(lateMs <= LATE_MS, `${what} ${delay}`);
}

/** Creates a responder that sends `part`, is silent, and sends the end. It adds `part` to `sent`. */
function createSilentResponder(part: string, sign: string, sent: Sent): Responder {
  return async (exchange) => {
    beginStream(exchange);
    exchange.write(part);
    sent.push({ sign, atMs: performance.now() });
    await sleep(SILENCE_MS);
    exchange.end(STREAM_END.join(""));
  };
}

async function checkNotHeldBack(
  harness: Harness,
  stream: boolean,
  responder: (sent: Sent) => Responder,
): Promise<CheckOutcome> {
  const sent: Sent = [];
  harness.respondWith(responder(sent));
  const call = harness.sendChat({ stream });
  await call.waitForEnd(UNITS * UNIT_GAP_MS + SILENCE_MS + 2_000);
  return judgeLateness(
    sent.length === 0 ? Number.POSITIVE_INFINITY : findLatestMs(sent, call),
    "the slowest part arrived",
  );
}

/** Sends units one by one, with gaps between them, and adds each to `sent`. */
async function sendUnits(
  exchange: HttpExchange,
  sent: Sent,
  unit: (at: number) => [part: string, sign: string | number],
): Promise<void> {
  for (let at = 0; at < UNITS && exchange.isOpen; at++) {
    const [part, sign] = unit(at);
    exchange.write(part);
    sent.push({ sign, atMs: performance.now() });
    await sleep(UNIT_GAP_MS);
  }
}

function createEventResponder(sent: Sent): Responder {
  return async (exchange) => {
    beginStream(exchange);
    await sendUnits(exchange, sent, (at) => [formatContentChunk(`word-${at}-`), `word-${at}-`]);
    exchange.end(STREAM_END.join(""));
  };
}

function createWhiteSpaceResponder(sent: Sent): Responder {
  return async (exchange) => {
    beginJson(exchange);
    await sendUnits(exchange, sent, (at) => [KEEP_ALIVE, KEEP_ALIVE.length * (at + 1)]);
    exchange.end(PLAIN_RESPONSE);
  };
}

const EXPECTED = `within ${LATE_MS} ms of being sent`;

/** Checks that bytes reach the client at once, even if no others follow for a long time. */
export const TIMING_CHECKS: readonly Check[] = [
  {
    id: "timing/head",
    title: "the head of a stream is not held back until its first event",
    why: "clients and load balancers time out if the head does not arrive",
    expected: `the head ${EXPECTED}`,
    run: async (harness) => {
      let sentAtMs = 0;
      harness.respondWith(async (exchange) => {
        beginStream(exchange);
        sentAtMs = performance.now();
        await sleep(SILENCE_MS);
        exchange.end(STREAM_END.join(""));
      });
      const call = harness.sendChat({ stream: true });
      await call.waitForEnd(SILENCE_MS + 2_000);
      const { headAtMs } = call.response;
      return judgeLateness(
        headAtMs === 0 ? Number.POSITIVE_INFINITY : headAtMs - sentAtMs,
        "the head arrived",
      );
    },
  },
  {
    id: "timing/first-event",
    title: "the first event is not held back until the second",
    why: "users notice the time to the first word most",
    expected: `the first event ${EXPECTED}, though ${SILENCE_MS} ms of silence follow`,
    run: (harness) =>
      checkNotHeldBack(harness, true, (sent) =>
        createSilentResponder(formatContentChunk("first-word"), "first-word", sent),
      ),
  },
  {
    id: "timing/first-comment",
    title: "a comment before the first event is not held back",
    why: "the comment keeps the connection alive only if it reaches the client",
    expected: `the comment ${EXPECTED}`,
    run: (harness) =>
      checkNotHeldBack(harness, true, (sent) => createSilentResponder(COMMENT, COMMENT.trim(), sent)),
  },
  {
    id: "timing/every-event",
    title: "every event arrives as soon as it is sent",
    why: "events in bursts look like a model that stutters",
    expected: `each of ${UNITS} events ${EXPECTED}`,
    run: (harness) => checkNotHeldBack(harness, true, createEventResponder),
  },
  {
    id: "timing/keep-alive",
    title: "white space of a plain response arrives as soon as it is sent",
    why: "upstream sends nothing else while a model thinks for minutes, and load balancers close silent connections after 60 s",
    expected: `each of ${UNITS} units, ${UNIT_GAP_MS} ms apart, ${EXPECTED}`,
    run: (harness) => checkNotHeldBack(harness, false, createWhiteSpaceResponder),
  },
];
