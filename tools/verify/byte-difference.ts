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
 * Compares bytes.
 * @param what names them: "the request", "the response".
 * @returns passed if they are equal; otherwise the first position where they differ, with the bytes of both.
 */
export function compareBytes(what: string, expected: string | Uint8Array, came: Buffer): CheckOutcome {
  const wanted = Buffer.from(expected);
  if (wanted.equals(came)) return pass(`${what}: the same ${came.length} bytes`);
  const at = findFirstDifference(wanted, came);
  return fail(
    `${what} differs from byte ${at} on (${wanted.length} bytes sent, ${came.length} came): sent ${quoteAround(wanted, at)}, came ${quoteAround(came, at)}`,
  );
}
