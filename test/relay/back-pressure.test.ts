import { expect, test } from "vitest";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  type Script,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

const PIECE = Buffer.alloc(65_536, 0x61);
/** Upper bound of the bytes in the socket buffers of both connections and in the gateway. */
const FEW_MEGABYTES = 16 * 1_048_576;

/** Writes as fast as the connection accepts data. @param written counts the bytes that upstream has written. */
function flood(written: { bytes: number }): Script {
  return (socket) => {
    socket.write(formatChunkedHead());
    const more = (): void => {
      while (!socket.destroyed) {
        written.bytes += PIECE.length;
        if (!socket.write(formatChunk(PIECE))) break;
      }
    };
    socket.on("drain", more);
    more();
  };
}

test("pauses upstream after a few megabytes when the client stops reading, and resumes it when the client reads again", async () => {
  const written = { bytes: 0 };
  const upstream = await startScriptedUpstream(flood(written));
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  await waitUntil(() => client.received.length > 0, "the first bytes");
  client.socket.pause();
  let last = -1;
  await waitUntil(() => {
    const isUnchanged = written.bytes === last;
    last = written.bytes;
    return new Promise<boolean>((resolve) =>
      setTimeout(() => resolve(isUnchanged && written.bytes === last), 200),
    );
  }, "upstream to be paused");
  const before = client.received.length;
  expect(written.bytes - before).toBeLessThan(FEW_MEGABYTES);
  client.socket.resume();
  await waitUntil(() => client.received.length > before + 2 * FEW_MEGABYTES, "the stream to continue");
});

test("aborts the request when the client reads nothing for CLIENT_STALL_TIMEOUT_MS", async () => {
  const upstream = await startScriptedUpstream(flood({ bytes: 0 }));
  const gateway = await startTestGateway(upstream.baseUrl, { CLIENT_STALL_TIMEOUT_MS: "300" });
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  client.socket.pause();
  await waitUntil(() => upstream.seen.length === 1, "the request at upstream");
  await waitUntil(() => upstream.open.size === 0, "the upstream request to be aborted");
  expect(await gateway.waitForRequestLog("the stalled client")).toMatchObject({ outcome: "client_gone" });
});

test("does not count a long silence of upstream as a stall of the client", async () => {
  const upstream = await startScriptedUpstream((socket) => {
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead()), formatChunk("data: 1\n\n")]));
    setTimeout(
      () => socket.write(Buffer.concat([formatChunk("data: [DONE]\n\n"), Buffer.from("0\r\n\r\n")])),
      900,
    );
  });
  const gateway = await startTestGateway(upstream.baseUrl, { CLIENT_STALL_TIMEOUT_MS: "200" });
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
  expect((await client.waitForResponse("the slow stream")).body.toString()).toBe(
    "data: 1\n\ndata: [DONE]\n\n",
  );
});

test("relays the head and each byte of the body as soon as they arrive", async () => {
  let sendBody = (): unknown => undefined;
  const upstream = await startScriptedUpstream((socket) => {
    socket.write(formatChunkedHead({ "content-type": "application/json" }));
    sendBody = () => socket.write(formatChunk("\n         \n"));
  });
  const gateway = await startTestGateway(upstream.baseUrl);
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
  const head = await waitUntil(() => client.readResponse(), "the head alone");
  expect(head.body.length).toBe(0);
  sendBody();
  await waitUntil(
    () => client.readResponse()?.body.toString() === "\n         \n",
    "the keep-alive whitespace",
  );
});
