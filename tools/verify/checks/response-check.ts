import { compareBytes } from "../byte-difference.ts";
import { type Check, type CheckOutcome, fail } from "../check.ts";
import type { Outgoing } from "../client-call.ts";
import type { Harness } from "../harness.ts";
import { respondJson, respondStream, type Responder } from "../upstream-responses.ts";

/** A response with status 200 whose bytes must not change. */
export interface ResponseVector {
  readonly name: string;
  readonly title: string;
  readonly why: string;
  /** The parts of the body; upstream writes them one after another. */
  readonly parts: readonly (string | Buffer)[];
  /** Time between the parts. By default, upstream sends them without a pause, each in a separate packet. */
  readonly gapMs?: number;
}

/** Checks that the response to a request has upstream's status and bytes, and is complete. */
export async function checkRelayed(
  harness: Harness,
  request: Outgoing,
  { status = 200, sent }: { readonly status?: number; readonly sent: string | Buffer },
): Promise<CheckOutcome> {
  const { response } = await harness.waitForResponse(harness.send(request));
  const bytes = compareBytes("the response", sent, response.body);
  return response.status === status ? bytes : fail(`status ${response.status}; ${bytes.got}`);
}

/**
 * Creates a check that the client receives the bytes that upstream sends.
 * @param stream whether the client requests a stream, and upstream sends one.
 * @param respond sends the vector's parts; by default, as a chunked response with status 200.
 */
export function createResponseCheck(vector: ResponseVector, stream: boolean, respond?: Responder): Check {
  const { name, title, why, parts, gapMs = 0 } = vector;
  const sent = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const defaultResponder = stream ? respondStream(parts, gapMs) : respondJson(parts, gapMs);
  return {
    id: `answer/${name}`,
    title: `${title}, byte for byte`,
    why,
    expected: "the client gets status 200, the bytes that upstream sent, and a complete response",
    run: async (harness) => {
      harness.respondWith(respond ?? defaultResponder);
      return checkRelayed(harness, harness.buildChat(stream), { sent });
    },
  };
}
