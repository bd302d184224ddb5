import type { Socket } from "node:net";
import { expect, test } from "vitest";
import type { KeyedGateway } from "../support/keyed-gateway.ts";
import { formatChunk, formatChunkedHead, LAST_CHUNK } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";
import { waitForRow, startMeteredGateway, sendStream } from "../support/metered-gateway.ts";

// A response head without an X-Generation-Id header.
const HEAD = formatChunkedHead();
const EVENT = 'data: {"id":"gen-1","model":"a/b","choices":[]}\n\n';
const COMMENT = formatChunk(": OPENROUTER PROCESSING\n\n");
const USAGE =
  'data: {"model":"a/b","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.5}}\n\n';
const REST = Buffer.concat([formatChunk(USAGE), formatChunk("data: [DONE]\n\n"), Buffer.from(LAST_CHUNK)]);

/** Sends a request, and disconnects when the body begins, or earlier if `isReady` returns true. */
async function sendAndDisconnect(
  gateway: KeyedGateway,
  secret: string,
  isReady: () => unknown,
): Promise<void> {
  const client = sendStream(gateway.port, secret);
  await waitUntil(() => client.readResponse()?.body.length ?? isReady(), "the moment to disconnect");
  client.socket.resetAndDestroy();
  await waitUntil(() => client.isClosed, "the client to disconnect");
  await gateway.call(gateway.caller, { method: "GET", path: "/openai/v1/key", body: "" });
}

const STREAMED = { head: HEAD, filler: COMMENT, partWithId: EVENT };
const PLAIN = {
  head: formatChunkedHead({ "content-type": "application/json" }),
  filler: formatChunk("\n         \n"),
  partWithId: '{"id":"gen-1","object":"chat.completion","created":1,"model":"a/b","provider":"A",',
};

test.each([
  ["a stream", "before the head", STREAMED],
  ["a stream", "in the middle", STREAMED],
  ["a JSON response", "before the head", PLAIN],
  ["a JSON response", "in the middle", PLAIN],
])(
  "reads %s without an X-Generation-Id header until its body states the id when the client disconnects %s",
  async (_, when, { head, filler, partWithId }) => {
    const sockets: Socket[] = [];
    const { gateway, upstream } = await startMeteredGateway((socket) => {
      sockets.push(socket);
      if (when === "in the middle") socket.write(Buffer.concat([Buffer.from(head), filler]));
    });
    await sendAndDisconnect(gateway, gateway.caller, () => when === "before the head" && sockets.length);
    expect(upstream.open.size).toBe(1);
    if (when === "before the head") sockets[0]?.write(head);
    sockets[0]?.write(filler);
    sockets[0]?.write(formatChunk(partWithId));
    await waitUntil(() => upstream.open.size === 0, "the abort at upstream");
    expect(await waitForRow(gateway)).toMatchObject({
      state: "pending",
      outcome: "client_gone",
      generation_id: "gen-1",
    });
  },
);

test("reads at most 64 KiB of a response that never states its generation id", async () => {
  const { gateway, upstream } = await startMeteredGateway((socket) => {
    const timer = setInterval(() => socket.write(formatChunk(`: ${"x".repeat(10_000)}\n\n`)), 2);
    socket.on("close", () => clearInterval(timer));
    socket.write(HEAD);
  });
  await sendAndDisconnect(gateway, gateway.caller, () => false);
  await waitUntil(() => upstream.open.size === 0, "the abort at upstream");
  expect(await waitForRow(gateway)).toMatchObject({ state: "unknown", outcome: "client_gone" });
  expect(gateway.readLog()).toContain("ledger: cost of a request is unknown");
});

test.each(["cancel", "drain"])(
  "reads the cost from a response that ends without a generation id when on_disconnect is %s",
  async (policy) => {
    const sockets: Socket[] = [];
    const { gateway, secret } = await startMeteredGateway((socket) => void sockets.push(socket));
    await sendAndDisconnect(gateway, policy === "drain" ? secret : gateway.caller, () => sockets.length);
    sockets[0]?.write(Buffer.concat([Buffer.from(HEAD), REST]));
    expect(await waitForRow(gateway)).toMatchObject({
      state: "settled",
      cost_source: "stream",
      cost_nanodollars: 500_000_000,
    });
  },
);
