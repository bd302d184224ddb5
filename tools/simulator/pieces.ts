// The parts of a response body, in the order in which they are sent.

/** A unit of a response body: an event, a comment, keep-alive white space or a JSON document. */
export interface Piece {
  readonly text: string;
  /** false for comments: faults do not count them, and there is no gap before them */
  readonly isData: boolean;
  /** completion characters that have been sent when this piece has been sent */
  readonly chars: number;
  /** true for the pieces that complete a response; a fault never sends them completely */
  readonly isEnd?: boolean;
}

/** The comment of most streams. */
export const COMMENT = ": OPENROUTER PROCESSING\n\n";

/** An event: the text of a `data:` line, after an `event:` line if it has a name. */
export function buildEvent(data: string, chars: number, name?: string): Piece {
  const text = name === undefined ? `data: ${data}\n\n` : `event: ${name}\ndata: ${data}\n\n`;
  return { text, isData: true, chars };
}

/** The event that ends the streams of most endpoints. */
export function buildDone(chars: number): Piece {
  return { text: "data: [DONE]\n\n", isData: true, chars, isEnd: true };
}

/** Puts one comment before the first data and spreads the others evenly between the rest. */
export function spreadComments(data: readonly Piece[], comment: string, count: number): Piece[] {
  const pieces: Piece[] = [];
  let placed = 0;
  for (const [i, piece] of data.entries()) {
    const chars = data[i - 1]?.chars ?? 0;
    for (const due = Math.ceil((count * (i + 1)) / data.length); placed < due; placed++) {
      pieces.push({ text: comment, isData: false, chars });
    }
    pieces.push(piece);
  }
  return pieces;
}

const KEEP_ALIVE = "\n         \n";
/** Bytes in one unit of keep-alive whitespace. */
export const KEEP_ALIVE_BYTES = KEEP_ALIVE.length;

/** How much keep-alive whitespace precedes a JSON document: `count` pieces of `units` units each. */
export interface KeepAlive {
  readonly count: number;
  readonly units: number;
}

/** A JSON document after its keep-alive whitespace. */
export function prependKeepAlive(document: string, chars: number, { count, units }: KeepAlive): Piece[] {
  const text = KEEP_ALIVE.repeat(units);
  const whitespace = Array.from({ length: count }, () => ({ text, isData: true, chars: 0 }));
  return [...whitespace, { text: document, isData: true, chars, isEnd: true }];
}
