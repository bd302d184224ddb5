import type { Socket } from "node:net";
import { sleep } from "../../simulator/http-exchange.ts";
import { type CheckOutcome, pass, toOutcome } from "../check.ts";
import type { ClientCall, Outgoing } from "../client-call.ts";
import type { Harness } from "../harness.ts";
import type { Responder } from "../upstream-responses.ts";

/** Maximum time from the end of upstream's connection to the end of the client's connection. */
export const NOTICE_MS = 3_000;
/** Time between the last byte and the end of the connection, so that the last byte is not lost. */
const SETTLE_MS = 50;

export const fin = (socket: Socket): void => socket.destroySoon();
export const reset = (socket: Socket): void => void socket.resetAndDestroy();

/** Creates a responder that starts a response, writes `bytes` and ends the connection. */
export function createBreakingResponder(
  begin: Responder,
  bytes: string,
  how: (socket: Socket) => void,
): Responder {
  return async (exchange) => {
    await begin(exchange);
    exchange.write(bytes);
    await sleep(SETTLE_MS);
    exchange.breakConnection(how);
  };
}

/** Sends a request whose response upstream breaks, and waits for the end of the client's connection. */
export async function sendBrokenCall(
  harness: Harness,
  request: Outgoing,
  upstream: Responder,
): Promise<ClientCall> {
  harness.respondWith(upstream);
  const call = harness.send(request);
  await call.waitForEnd(NOTICE_MS + SETTLE_MS);
  return call;
}

/** Checks that the client can see that a response is incomplete. */
export async function checkEndsBroken(
  harness: Harness,
  request: Outgoing,
  upstream: Responder,
): Promise<CheckOutcome> {
  const call = await sendBrokenCall(harness, request, upstream);
  const { status } = call.response;
  // A gateway that has not sent the head yet may also respond with an error.
  if (call.ending === "whole" && status >= 500) return pass(`status ${status} instead of the response`);
  return toOutcome(call.ending === "cut" || call.ending === "reset", call.summarize());
}

/** Whether a text is the data of a complete event: JSON or `[DONE]`. */
function isData(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return text === "[DONE]";
  }
}

/** Checks that each event of a stream that ends with an empty line has complete data. */
export function judgeEvents(call: ClientCall): CheckOutcome {
  const { status, body } = call.response;
  if (status >= 500) return pass(`status ${status} instead of the response`);
  const data = body
    .toString()
    .split("\n\n")
    .slice(0, -1)
    .flatMap((event) => /(?<=^data: )[^]*/m.exec(event)?.[0] ?? []);
  const broken = data.find((text) => !isData(text));
  return broken === undefined
    ? pass(call.summarize())
    : toOutcome(false, `the data of an event is ${JSON.stringify(broken)}`);
}
