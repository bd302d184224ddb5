// Computes parts of a response: the part before a simulated fault, and the part that was sent before a disconnect.
import type { Piece } from "./pieces.ts";

/** The pieces up to and including data piece `count`, and the piece after them. The pieces that end a response are never sent. */
export function takeData(
  pieces: readonly Piece[],
  count: number,
): { sent: Piece[]; next: Piece | undefined } {
  let end = 0;
  for (let seen = 0; end < pieces.length && !pieces[end]?.isEnd; end++) {
    if (pieces[end]?.isData && ++seen > count) break;
  }
  return { sent: pieces.slice(0, end), next: pieces[end] };
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
