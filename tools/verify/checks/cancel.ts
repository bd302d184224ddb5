import { once } from "node:events";
import { sleep } from "../../simulator/http-exchange.ts";
import type { Outgoing } from "../client-call.ts";
import type { Harness } from "../harness.ts";
import { type Check, toOutcome, type CheckOutcome } from "../check.ts";
import {
  beginJson,
  beginStream,
  formatContentChunk,
  KEEP_ALIVE,
  type Responder,
} from "../upstream-responses.ts";

/** Maximum time between the client's disconnect and the abort of the upstream request. */
export const ABORT_MS = 1_000;
const BEGIN_MS = 1_000;

/** A client that disconnects before its response is complete. */
export interface Leaving {
  /** Sends the part of upstream's response that precedes the disconnect. */
  readonly upstream: Responder;
  /** The client disconnects when it has received this many bytes of the body. */
  readonly afterBytes: number;
}

/** Checks that the gateway aborts a request when its client disconnects. */
export async function checkAborted(
  harness: Harness,
  request: Outgoing,
  { upstream, afterBytes }: Leaving,
): Promise<CheckOutcome> {
  harness.respondWith(upstream);
  const call = harness.send(request);
  const { exchange } = await harness.waitForUpstream(call);
  // If the gateway holds the response back, the client disconnects anyway: this check tests only the abort of upstream.
  const begun = await call.waitUntil(() => call.response.bodyBytes >= afterBytes, BEGIN_MS);
  const closed = once(exchange.res, "close");
  const leftAtMs = performance.now();
  call.disconnect();
  await Promise.race([closed, sleep(ABORT_MS)]);
  const tookMs = Math.round(performance.now() - leftAtMs);
  const what = exchange.isOpen ? `upstream still at work after ${ABORT_MS} ms` : `aborted after ${tookMs} ms`;
  return toOutcome(!exchange.isOpen, begun ? what : `${what}; the response had been held back`);
}

const silent: Responder = () => undefined;

const WHY_SILENT =
  "a model may think for minutes before the first byte; a client that disconnects and retries pays for every attempt";

/** Checks that a request is aborted upstream when its client disconnects. */
export const CANCEL_CHECKS: readonly Check[] = (
  [
    {
      name: "before-first-byte",
      title: "a stream whose client disconnects before the first byte",
      why: WHY_SILENT,
      stream: true,
      leaving: { upstream: silent, afterBytes: 0 },
    },
    {
      name: "in-silence",
      title: "a stream whose client disconnects while upstream is silent",
      why: "a gateway that detects a disconnect only by a failed write lets the model run, and its cost grow, to the end",
      stream: true,
      leaving: {
        upstream: (exchange) => {
          beginStream(exchange);
          exchange.write(formatContentChunk("first"));
        },
        afterBytes: 1,
      },
    },
    {
      name: "mid-stream",
      title: "a stream whose client disconnects in the middle",
      why: "OpenRouter stops the generation and its charges when the connection is closed",
      stream: true,
      leaving: {
        upstream: async (exchange) => {
          beginStream(exchange);
          while (exchange.isOpen) {
            exchange.write(formatContentChunk("word "));
            await sleep(25);
          }
        },
        afterBytes: 1_000,
      },
    },
    {
      name: "plain",
      title: "a plain request whose client disconnects before the first byte",
      why: WHY_SILENT,
      stream: false,
      leaving: { upstream: silent, afterBytes: 0 },
    },
    {
      name: "plain-waiting",
      title: "a plain request whose client disconnects during the white space",
      why: "the gateway has sent the head long before the client disconnects",
      stream: false,
      leaving: {
        upstream: (exchange) => {
          beginJson(exchange);
          exchange.write(KEEP_ALIVE);
        },
        afterBytes: 1,
      },
    },
  ] satisfies { name: string; title: string; why: string; stream: boolean; leaving: Leaving }[]
).map(({ name, title, why, stream, leaving }) => ({
  id: `cancel/${name}`,
  title: `${title} is aborted upstream`,
  why,
  expected: `upstream's connection closed within ${ABORT_MS} ms`,
  run: (harness) => checkAborted(harness, harness.buildChat(stream), leaving),
}));
