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

/** Maximum time from the client's disconnect to the abort of the upstream request. */
const ABORT_MS = 1_000;
const BEGIN_MS = 1_000;

interface Leaving {
  readonly stream: boolean;
  /** How far upstream's response is when the client disconnects. */
  readonly upstream: Responder;
  /** The client disconnects when it has received at least this many bytes of the body. */
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
  "a model may think for minutes before the first byte; a client that times out and retries pays for every attempt";

/** When a client disconnects, the gateway aborts the upstream request. */
export const CANCEL_CHECKS: readonly Check[] = (
  [
    {
      name: "before-first-byte",
      title: "a stream whose client disconnects before the first byte",
      why: WHY_SILENT,
      leaving: { stream: true, upstream: silent, afterBytes: 0 },
    },
    {
      name: "in-silence",
      title: "a stream whose client disconnects while upstream sends nothing",
      why: "a gateway that notices the disconnect only when a write fails pays for all reasoning until then",
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
      title: "a stream whose client disconnects between events",
      why: "OpenRouter stops generation and billing when the connection closes",
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
      title: "a plain request whose client disconnects before the first byte",
      why: WHY_SILENT,
      leaving: { stream: false, upstream: silent, afterBytes: 0 },
    },
    {
      name: "plain-waiting",
      title: "a plain request whose client disconnects during keep-alive white space",
      why: "clients often time out after the head of the response has been sent",
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
