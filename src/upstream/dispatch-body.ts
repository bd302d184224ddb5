import { Readable } from "node:stream";
import type { Dispatcher } from "undici";

const LARGE_BODY_BYTES = 262_144;

/**
 * A body as undici is to send it. undici keeps a buffer until the answer has ended, which for a stream can be long; of a
 * generator it keeps nothing. That costs more per request than it saves for a small body.
 * @param onReleased called when a large body has been written: undici reads on only when its socket has passed on all of it.
 */
export function toDispatchBody(
  headers: Record<string, string>,
  body: Buffer | undefined,
  onReleased?: () => void,
): Pick<Dispatcher.DispatchOptions, "headers" | "body"> {
  if (body === undefined || body.length < LARGE_BODY_BYTES) return { headers, body: body ?? null };
  let once: Buffer | undefined = body;
  function* chunks(): Generator<Buffer> {
    const chunk = once as Buffer;
    once = undefined;
    yield chunk;
  }
  const stream = Readable.from(chunks(), { objectMode: false });
  if (onReleased) stream.once("end", onReleased);
  return { headers: { ...headers, "content-length": String(body.length) }, body: stream };
}
