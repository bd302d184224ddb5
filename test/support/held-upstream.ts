import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "./chat-request.ts";
import { RawClient } from "./raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  LAST_CHUNK,
  formatResponse,
  type ScriptedUpstream,
  startScriptedUpstream,
} from "./scripted-upstream.ts";
import { waitUntil } from "./wait.ts";

/** The first and the last event of each stream. */
export const EVENT = 'data: {"choices":[]}\n\n';
export const DONE = "data: [DONE]\n\n";

interface HeldUpstream {
  readonly upstream: ScriptedUpstream;
  /** Ends every stream. */
  readonly finish: () => void;
}

/** Starts an upstream whose streams end when the test calls `finish`. It responds to plain requests at once. */
export async function startHeldUpstream(): Promise<HeldUpstream> {
  const endStream: (() => void)[] = [];
  const upstream = await startScriptedUpstream((socket, { body }) => {
    if (!body.includes('"stream":true')) {
      socket.write(formatResponse(200, { "content-type": "application/json" }, "{}"));
      return;
    }
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT)]));
    endStream.push(() => socket.write(Buffer.concat([formatChunk(DONE), Buffer.from(LAST_CHUNK)])));
  });
  return { upstream, finish: () => endStream.forEach((end) => end()) };
}

/** Requests a stream and waits for its first event. */
export async function openStream(port: number): Promise<RawClient> {
  const client = new RawClient(port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
  return client;
}
