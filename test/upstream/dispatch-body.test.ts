import type { Readable } from "node:stream";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { toDispatchBody } from "../../src/upstream/dispatch-body.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startHeldUpstream } from "../support/held-upstream.ts";
import { RawClient } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait.ts";

const LARGE_BYTES = 1_000_000;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Creates a large body for undici, and a weak reference that shows whether the memory of the body is still in use. */
function largeBody(): { stream: Readable; memory: WeakRef<ArrayBufferLike> } {
  const bytes = Buffer.alloc(LARGE_BYTES);
  const { body, headers } = toDispatchBody({}, bytes);
  expect(headers).toEqual({ "content-length": String(LARGE_BYTES) });
  return { stream: body as Readable, memory: new WeakRef(bytes.buffer) };
}

/** Reads a stream to its end in a separate stack frame, which keeps no reference to the chunks. */
async function countBytes(stream: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += (chunk as Buffer).length;
  return bytes;
}

test("sends large bodies complete while other streams run", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const body = buildChatBody({ stream: true, user: "x".repeat(8_000_000) });
  const clients = Array.from({ length: 12 }, () => new RawClient(gateway.port));
  for (const client of clients) {
    client.post(CHAT_PATH, body, AUTHORIZATION);
    await waitUntil(() => client.readResponse(), "the stream");
  }
  expect(upstream.seen.every((seen) => seen.body.length === body.length)).toBe(true);
});

test("releases the memory of a large body once it has been read, although its stream is still referenced", async () => {
  const { stream, memory } = largeBody();
  expect(await countBytes(stream)).toBe(LARGE_BYTES);
  await waitUntil(() => {
    collectGarbage();
    return memory.deref() === undefined;
  }, "the body to be collected");
  expect(stream.destroyed).toBe(true);
});
