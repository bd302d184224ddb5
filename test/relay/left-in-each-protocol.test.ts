import type { Socket } from "node:net";
import { expect, test } from "vitest";
import type { KeyedGateway } from "../support/keyed-gateway.ts";
import { readRows, startMeteredGateway, waitForRow } from "../support/metered-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatChunk, formatChunkedHead, LAST_CHUNK } from "../support/scripted-upstream.ts";
import { STREAM_PROTOCOLS, type StreamProtocol } from "../support/stream-protocols.ts";
import { waitUntil } from "../support/wait.ts";

// Tests of clients that disconnect in the middle of a response, for each endpoint.

const STREAM = { "content-type": "text/event-stream" };
const JSON_TYPE = { "content-type": "application/json" };
const ID = { "x-generation-id": "gen-1" };

const post = (
  gateway: KeyedGateway,
  secret: string,
  { path, request }: Pick<StreamProtocol, "path" | "request">,
) => {
  const client = new RawClient(gateway.port);
  client.post(path, request, { authorization: `Bearer ${secret}` });
  return client;
};

/** Disconnects a client that has received a part of the body, and waits until the gateway has handled the disconnect. */
async function disconnect(gateway: KeyedGateway, client: RawClient): Promise<void> {
  await waitUntil(() => client.readResponse()?.body.length, "the first bytes");
  client.socket.resetAndDestroy();
  await waitUntil(() => client.isClosed, "the client to disconnect");
  await gateway.call(gateway.caller, { method: "GET", path: "/openai/v1/key", body: "" });
}

const streams = STREAM_PROTOCOLS.flatMap(([name, protocol]) =>
  [ID, undefined].map((id) => [name, id ? "head" : "body", protocol, { ...STREAM, ...id }] as const),
);

test.each(streams)(
  "a cancelled stream of %s with the id in its %s needs a lookup",
  async (_, __, protocol, head) => {
    const { gateway, upstream } = await startMeteredGateway((socket) =>
      socket.write(Buffer.concat([Buffer.from(formatChunkedHead(head)), formatChunk(protocol.first)])),
    );
    await disconnect(gateway, post(gateway, gateway.caller, protocol));
    await waitUntil(() => upstream.open.size === 0, "the abort at upstream");
    expect(await waitForRow(gateway)).toMatchObject({
      state: "pending",
      outcome: "client_gone",
      generation_id: "gen-1",
      cost_nanodollars: null,
    });
  },
);

test.each(streams)(
  "a drained stream of %s with the id in its %s is settled with the cost at its end",
  async (name, _, protocol, head) => {
    const sockets: Socket[] = [];
    const { gateway, secret } = await startMeteredGateway((socket) => {
      sockets.push(socket);
      socket.write(Buffer.concat([Buffer.from(formatChunkedHead(head)), formatChunk(protocol.first)]));
    });
    await disconnect(gateway, post(gateway, secret, protocol));
    const rest = formatChunk(protocol.text + protocol.ending);
    sockets[0]?.write(Buffer.concat([rest, Buffer.from(LAST_CHUNK)]));
    expect(await waitForRow(gateway)).toMatchObject({
      endpoint: name,
      state: "settled",
      outcome: "client_gone",
      generation_id: "gen-1",
      cost_source: "stream",
      cost_nanodollars: 500_000_000,
      prompt_tokens: 4,
      completion_tokens: 2,
    });
  },
);

const VECTOR = Array.from({ length: 100_000 }, (_, index) => index / 1e6);
const DOCUMENTS: [name: string, request: object, document: object][] = [
  ["embeddings", { input: "Hello" }, { object: "list", data: [{ embedding: VECTOR }], model: "a/b" }],
  [
    "rerank",
    { query: "x", documents: ["y"] },
    { model: "a/b", results: [{ document: { text: "y".repeat(500_000) } }] },
  ],
];

test.each(DOCUMENTS.flatMap((row) => ["cancel", "drain"].map((policy) => [...row, policy] as const)))(
  "reads a document of %s, which states its id last, to its end when the client disconnects",
  async (name, request, document, policy) => {
    const sockets: Socket[] = [];
    const { gateway, secret } = await startMeteredGateway((socket) => {
      sockets.push(socket);
      socket.write(Buffer.concat([Buffer.from(formatChunkedHead(JSON_TYPE)), formatChunk('{"x":0,')]));
    });
    const ending = {
      usage: { prompt_tokens: 4, total_tokens: 4, cost: 0.5 },
      provider: "P",
      id: "gen-emb-1",
    };
    const call = { path: `/openai/v1/${name}`, request: JSON.stringify({ model: "a/b", ...request }) };
    await disconnect(gateway, post(gateway, policy === "drain" ? secret : gateway.caller, call));
    const rest = JSON.stringify({ ...document, ...ending }).slice(1);
    sockets[0]?.write(Buffer.concat([formatChunk(rest), Buffer.from(LAST_CHUNK)]));
    expect(await waitForRow(gateway)).toMatchObject({
      endpoint: name,
      state: "settled",
      outcome: "client_gone",
      generation_id: "gen-emb-1",
      cost_nanodollars: 500_000_000,
    });
  },
);

test("stops reading a document that does not end after the client has disconnected", async () => {
  const { gateway, upstream } = await startMeteredGateway(
    (socket) => {
      socket.write(formatChunkedHead(JSON_TYPE));
      const timer = setInterval(() => socket.write(formatChunk(`"${"x".repeat(50_000)}",`)), 2);
      socket.on("close", () => clearInterval(timer));
    },
    { DISCONNECT_HEAD_WAIT_MS: "300" },
  );
  const call = { path: "/openai/v1/embeddings", request: '{"model":"a/b","input":"x"}' };
  await disconnect(gateway, post(gateway, gateway.caller, call));
  await waitUntil(() => upstream.open.size === 0, "the abort at upstream");
  await waitForRow(gateway);
  expect(await readRows(gateway)).toMatchObject([{ state: "unknown", outcome: "client_gone" }]);
  expect(gateway.readLog()).toContain("ledger: cost of a request is unknown");
});
