import { Readable } from "node:stream";
import type { Dispatcher } from "undici";

const LARGE_BODY_BYTES = 262_144;

/**
 * Converts a body to the form in which undici should send it: a Readable for a large body, a Buffer for a small one. undici
 * retains a Buffer until the response has ended, which can take long. It does not retain the chunks of a Readable. For a
 * small body, a Readable costs more than it saves.
 * @param onReleased called when a large body has been written. The end of the Readable shows this: undici reads the end only
 * after the socket has written all chunks.
 */
export function toDispatchBody(
  headers: Record<string, string>,
  body: Buffer | undefined,
  onReleased?: () => void,
): Pick<Dispatcher.DispatchOptions, "headers" | "body"> {
  if (body === undefined || body.length < LARGE_BODY_BYTES) return { headers, body: body ?? null };
  let unsent: Buffer | undefined = body;
  function* chunks(): Generator<Buffer> {
    const chunk = unsent as Buffer;
    unsent = undefined;
    yield chunk;
  }
  const stream = Readable.from(chunks(), { objectMode: false });
  if (onReleased) stream.once("end", onReleased);
  return { headers: { ...headers, "content-length": String(body.length) }, body: stream };
}
