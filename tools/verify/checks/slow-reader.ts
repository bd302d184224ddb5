import { sleep, type HttpExchange } from "../../simulator/http-exchange.ts";
import type { Harness } from "../harness.ts";
import { type Check, toOutcome, type CheckOutcome } from "../check.ts";
import { beginStream, formatContentChunk, DONE } from "../upstream-responses.ts";

const MEBIBYTE = 1024 * 1024;
/** Sockets buffer some megabytes. If upstream can write this many bytes, the gateway buffers part of the response. */
const MOST_HELD_BYTES = 32 * MEBIBYTE;
const FLOOD_BYTES = 256 * MEBIBYTE;
const TILDE = "~".charCodeAt(0);
const TILDES = 64 * 1024;
const EVENT = Buffer.from(formatContentChunk("~".repeat(TILDES)));
/** Upstream counts as paused after it could write nothing for this long. */
const STILL_MS = 750;
const DEADLINE_MS = 30_000;

class Flood {
  sentBytes = 0;
  /** Set to true to end the stream: the current event is the last one before `[DONE]`. */
  isEnough = false;

  async run(exchange: HttpExchange): Promise<void> {
    beginStream(exchange);
    while (exchange.isOpen && !this.isEnough && this.sentBytes < FLOOD_BYTES) {
      exchange.write(EVENT);
      this.sentBytes += EVENT.length;
      if (exchange.res.writableNeedDrain) await exchange.waitUntilWritable();
    }
    exchange.end(DONE);
  }

  /** Waits until upstream is paused. @returns the number of bytes that upstream could write. */
  async waitUntilStill(): Promise<number> {
    for (let before = -1; before !== this.sentBytes && this.sentBytes < FLOOD_BYTES;) {
      before = this.sentBytes;
      await sleep(STILL_MS);
    }
    return this.sentBytes;
  }
}

async function startFlood(
  harness: Harness,
): Promise<{ flood: Flood; call: ReturnType<Harness["sendChat"]> }> {
  const flood = new Flood();
  harness.respondWith((exchange) => flood.run(exchange));
  const call = harness.sendChat({ stream: true, paused: true });
  await harness.waitForUpstream(call);
  return { flood, call };
}

function countTildes(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === TILDE) count++;
  return count;
}

function formatMebibytes(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(1)} MB`;
}

async function checkStalls(harness: Harness): Promise<CheckOutcome> {
  const { flood } = await startFlood(harness);
  const bytes = await flood.waitUntilStill();
  return toOutcome(bytes < MOST_HELD_BYTES, `upstream could write ${formatMebibytes(bytes)}`);
}

async function checkLosesNothing(harness: Harness): Promise<CheckOutcome> {
  const { flood, call } = await startFlood(harness);
  await flood.waitUntilStill();
  flood.isEnough = true;
  call.resume();
  const ending = await call.waitForEnd(DEADLINE_MS);
  // Only the text is counted, because a gateway may rewrite events without losing text.
  const sent = (flood.sentBytes / EVENT.length) * TILDES;
  const received = countTildes(call.response.body);
  return toOutcome(
    ending === "whole" && received === sent,
    `${received} of ${sent} bytes of text, the response is ${ending}`,
  );
}

/** Checks that a slow client slows upstream down and loses nothing. */
export const SLOW_READER_CHECKS: readonly Check[] = [
  {
    id: "slow-reader/stalls-upstream",
    title: "upstream stalls while a client reads nothing",
    why: "a gateway that does not stall upstream buffers the response, and a few slow clients fill its memory or disk",
    expected: `upstream can write less than ${MOST_HELD_BYTES / MEBIBYTE} MB of ${FLOOD_BYTES / MEBIBYTE} MB`,
    deadlineMs: DEADLINE_MS,
    run: checkStalls,
  },
  {
    id: "slow-reader/loses-nothing",
    title: "a client that reads again gets everything",
    why: "a gateway that aborts responses to slow readers fails clients on mobile networks",
    expected: "all the text that upstream sent, and a proper end",
    deadlineMs: 2 * DEADLINE_MS,
    run: checkLosesNothing,
  },
];
