// Sends the pieces of a response: at once, one by one, or split within events and characters.
import type { CommonOptions } from "./behaviour.ts";
import { type HttpExchange, waitForNextTurn, sleep } from "./http-exchange.ts";
import { takeData } from "./partial-response.ts";
import type { Piece } from "./pieces.ts";

/** Speed and size of writes: the options `gapMs` and `split`. */
type Pace = Pick<CommonOptions, "gapMs" | "split">;

// A response of at most this many pieces is one write. A longer one is written in batches, with backpressure.
const BATCH_PIECES = 64;

/** Writes parts of `split` bytes, each in its own turn of the event loop, so that each is one socket write. */
async function writeSplit(exchange: HttpExchange, bytes: Buffer, split: number): Promise<void> {
  for (let at = 0; at < bytes.length && exchange.isOpen; at += split) {
    if (at > 0) await waitForNextTurn();
    exchange.write(bytes.subarray(at, at + split));
  }
}

/**
 * Writes pieces, with `gapMs` before each data piece except the first. Returns early if the client disconnects. Does not end
 * the response.
 */
export async function writePieces(
  exchange: HttpExchange,
  pieces: readonly Piece[],
  pace: Pace,
): Promise<void> {
  const step = pace.gapMs > 0 ? 1 : BATCH_PIECES;
  let started = false;
  for (let i = 0; i < pieces.length; i += step) {
    const batch = pieces.slice(i, i + step);
    if (pace.gapMs > 0 && batch[0]?.isData) {
      if (started) await sleep(pace.gapMs);
      started = true;
    }
    if (exchange.res.writableNeedDrain) await exchange.waitUntilWritable();
    if (!exchange.isOpen) return;
    const bytes = Buffer.from(batch.map((piece) => piece.text).join(""));
    if (pace.split > 0) await writeSplit(exchange, bytes, pace.split);
    else exchange.write(bytes);
  }
}

/** Writes the head and `after` data pieces, and half of the next piece if `half` is 1. Never writes the pieces that end a response. */
export async function writePart(
  exchange: HttpExchange,
  pieces: readonly Piece[],
  part: { readonly after: number; readonly half: number },
  pace: Pace,
): Promise<void> {
  const { sent, next } = takeData(pieces, Math.max(part.after, 0));
  exchange.res.flushHeaders();
  await writePieces(exchange, sent, pace);
  if (part.half === 0 || next === undefined) return;
  const bytes = Buffer.from(next.text);
  exchange.write(bytes.subarray(0, bytes.length >> 1));
}
