// Computes parts of a response: the part before a simulated fault, and the part that was sent before a disconnect.
import { type Generation, buildUsage } from "./billing.ts";
import { DONE, type Piece, formatChunkHead } from "./completion.ts";
import { buildError } from "./errors.ts";

/** The pieces up to and including data piece `count`, and the piece after them. */
export function takeData(
  pieces: readonly Piece[],
  count: number,
): { sent: Piece[]; next: Piece | undefined } {
  let end = 0;
  for (let seen = 0; end < pieces.length; end++) {
    if (pieces[end]?.isData && ++seen > count) break;
  }
  return { sent: pieces.slice(0, end), next: pieces[end] };
}

/** A stream that fails after `count` data events: a chunk with `error` and the usage so far, then `[DONE]`. */
export function buildFailingStream(
  generation: Generation,
  pieces: readonly Piece[],
  count: number,
  status: number,
): Piece[] {
  const { sent } = takeData(pieces, count);
  const chars = sent.at(-1)?.chars ?? 0;
  const error = JSON.stringify(buildError(status));
  const choice = `{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,"native_finish_reason":null,"logprobs":null}`;
  const usage = JSON.stringify(buildUsage(generation, chars));
  const text = `${formatChunkHead(generation)}"error":${error},"choices":[${choice}],"usage":${usage}}\n\n`;
  return [...sent, { text, isData: true, chars }, { text: DONE, isData: true, chars }];
}

/** Counts the completion characters in the first `bytesSent` bytes of a body. @param pieces all pieces of the body. */
export function countCharsWithin(pieces: readonly Piece[], bytesSent: number): number {
  let chars = 0;
  let end = 0;
  for (const piece of pieces) {
    end += Buffer.byteLength(piece.text);
    if (end > bytesSent) break;
    chars = piece.chars;
  }
  return chars;
}
