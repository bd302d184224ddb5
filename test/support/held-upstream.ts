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

/** What each held stream begins and ends with. */
export const EVENT = 'data: {"choices":[]}\n\n';
export const DONE = "data: [DONE]\n\n";

interface HeldUpstream {
  readonly upstream: ScriptedUpstream;
  /** Ends every stream that is held. */
  readonly finish: () => void;
}

/** An upstream whose streams end when the test says so; a plain call is answered at once. */
export async function startHeldUpstream(): Promise<HeldUpstream> {
  const held: (() => void)[] = [];
  const upstream = await startScriptedUpstream((socket, { body }) => {
    if (!body.includes('"stream":true')) {
      socket.write(formatResponse(200, { "content-type": "application/json" }, "{}"));
      return;
    }
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk(EVENT)]));
    held.push(() => socket.write(Buffer.concat([formatChunk(DONE), Buffer.from(LAST_CHUNK)])));
  });
  return { upstream, finish: () => held.forEach((end) => end()) };
}

/** Asks for a stream and waits for its first event. */
export async function openStream(port: number): Promise<RawClient> {
  const client = new RawClient(port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  await waitUntil(() => client.readResponse()?.body.length, "the stream to begin");
  return client;
}
