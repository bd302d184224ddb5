import { fail, pass, type CheckOutcome } from "./check.ts";

const CONTEXT_BYTES = 24;
const SHOWN_BYTES = 72;

function findFirstDifference(a: Buffer, b: Buffer): number {
  const least = Math.min(a.length, b.length);
  for (let at = 0; at < least; at++) if (a[at] !== b[at]) return at;
  return least;
}

function quoteAround(bytes: Buffer, at: number): string {
  const start = Math.max(0, at - CONTEXT_BYTES);
  // latin1 has one character for each byte, so that invalid UTF-8 remains visible.
  return JSON.stringify(bytes.toString("latin1", start, start + SHOWN_BYTES));
}

/**
 * Compares the bytes that one side sent with the bytes that the other side received.
 * @param what names the bytes in the outcome: "the request", "the response".
 * @returns an outcome that passes if they are equal, and otherwise shows the first difference.
 */
export function compareBytes(what: string, sent: string | Uint8Array, received: Buffer): CheckOutcome {
  const expected = Buffer.from(sent);
  if (expected.equals(received)) return pass(`${what}: the same ${received.length} bytes`);
  const at = findFirstDifference(expected, received);
  return fail(
    `${what} differs from byte ${at} on (${expected.length} bytes sent, ${received.length} received): sent ${quoteAround(expected, at)}, received ${quoteAround(received, at)}`,
  );
}
