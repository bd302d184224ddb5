import { once } from "node:events";
import { sleep } from "../../simulator/http-exchange.ts";
import type { Harness } from "../harness.ts";
import { type Check, toOutcome, type CheckOutcome } from "../check.ts";
import {
  beginJson,
  beginStream,
  formatContentChunk,
  KEEP_ALIVE,
  type Responder,
} from "../upstream-responses.ts";

/** How long upstream may be kept at work for a client that has left. */
const ABORT_MS = 1_000;
const BEGIN_MS = 1_000;

interface Leaving {
  readonly stream: boolean;
  /** How far upstream's response is when the client disconnects. */
  readonly upstream: Responder;
  /** The client leaves when it has so many bytes of the body. */
  readonly afterBytes: number;
}

async function checkAborted(
  harness: Harness,
  { stream, upstream, afterBytes }: Leaving,
): Promise<CheckOutcome> {
  harness.respondWith(upstream);
  const call = harness.sendChat({ stream });
  const { exchange } = await harness.waitForUpstream(call);
  // The client also disconnects from a gateway that holds the response back: the check is whether upstream sees an abort.
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
  "models think for minutes before the first byte; a client that gives up and tries again pays for all of them";

/** A client that leaves takes its request along. */
export const CANCEL_CHECKS: readonly Check[] = (
  [
    {
      name: "before-first-byte",
      title: "a stream that is left before its first byte",
      why: WHY_SILENT,
      leaving: { stream: true, upstream: silent, afterBytes: 0 },
    },
    {
      name: "in-silence",
      title: "a stream that is left while it is silent",
      why: "who notices only when writing fails pays until the model has thought to its end",
      leaving: {
        stream: true,
        upstream: (exchange) => {
          beginStream(exchange);
          exchange.write(formatContentChunk("first"));
        },
        afterBytes: 1,
      },
    },
    {
      name: "mid-stream",
      title: "a stream that is left in the middle",
      why: "OpenRouter stops generating, and billing, when the connection is closed",
      leaving: {
        stream: true,
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
      title: "a plain call that is left before its first byte",
      why: WHY_SILENT,
      leaving: { stream: false, upstream: silent, afterBytes: 0 },
    },
    {
      name: "plain-waiting",
      title: "a plain call that is left during its white space",
      why: "the head has long been sent when a client loses patience",
      leaving: {
        stream: false,
        upstream: (exchange) => {
          beginJson(exchange);
          exchange.write(KEEP_ALIVE);
        },
        afterBytes: 1,
      },
    },
  ] satisfies { name: string; title: string; why: string; leaving: Leaving }[]
).map(({ name, title, why, leaving }) => ({
  id: `cancel/${name}`,
  title: `${title} is aborted upstream`,
  why,
  expected: `upstream's connection closed within ${ABORT_MS} ms`,
  run: (harness) => checkAborted(harness, leaving),
}));
