import { AUTHORIZATION, CHAT_PATH, chatBody } from "./chat.ts";
import { RawClient } from "./raw-client.ts";
import {
  chunk,
  chunkedHead,
  LAST_CHUNK,
  responseBytes,
  type ScriptedUpstream,
  startScriptedUpstream,
} from "./scripted-upstream.ts";
import { until } from "./until.ts";

/** What each held stream begins and ends with. */
export const EVENT = 'data: {"choices":[]}\n\n';
export const DONE = "data: [DONE]\n\n";

export interface HeldUpstream {
  readonly upstream: ScriptedUpstream;
  /** Ends every stream that is held. */
  readonly finish: () => void;
}

/** An upstream whose streams end when the test says so; a plain call is answered at once. */
export async function startHeldUpstream(): Promise<HeldUpstream> {
  const held: (() => void)[] = [];
  const upstream = await startScriptedUpstream((socket, { body }) => {
    if (!body.includes('"stream":true')) {
      socket.write(responseBytes(200, { "content-type": "application/json" }, "{}"));
      return;
    }
    socket.write(Buffer.concat([Buffer.from(chunkedHead()), chunk(EVENT)]));
    held.push(() => socket.write(Buffer.concat([chunk(DONE), Buffer.from(LAST_CHUNK)])));
  });
  return { upstream, finish: () => held.forEach((end) => end()) };
}

/** Asks for a stream and waits for its first event. */
export async function startStream(port: number): Promise<RawClient> {
  const client = new RawClient(port);
  client.post(CHAT_PATH, chatBody({ stream: true }), AUTHORIZATION);
  await until(() => client.response()?.body.length, "the stream to begin");
  return client;
}
