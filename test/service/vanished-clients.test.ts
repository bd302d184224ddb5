import { expect, test } from "vitest";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { createNetworkNamespace, type NetworkNamespace } from "../support/network-namespace.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatChunk, formatChunkedHead, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";
import { readRows } from "../support/metered-gateway.ts";

const GONE_WITHIN_MS = 120_000;
/**
 * Time before the first data for a "late" request. It is between two TCP keep-alive probes, so that the gateway sends
 * data to a client that has not acknowledged some probes.
 */
const LATE_MS = 55_000;
const HEAD = formatChunkedHead({ "content-type": "text/event-stream", "x-generation-id": "gen-1" });
const CLIENT = `
  const [host, port, request] = process.argv.slice(1);
  const socket = require("node:net").connect(Number(port), host, () => socket.write(request));
  socket.on("data", (bytes) => console.log(String(bytes)));
  socket.on("error", () => {});
  setInterval(() => {}, 1_000);
`;

/** For the model "silent", sends nothing; for "stream", an event per second; for "late", the same after LATE_MS. */
async function startUpstream() {
  return startScriptedUpstream((socket, { body }) => {
    const timers: NodeJS.Timeout[] = [];
    socket.once("close", () => timers.forEach(clearTimeout));
    const begin = (): void => {
      socket.write(HEAD);
      timers.push(setInterval(() => socket.write(formatChunk('data: {"choices":[]}\n\n')), 1_000));
    };
    if (body.includes("stream-model")) begin();
    if (body.includes("late-model")) timers.push(setTimeout(begin, LATE_MS));
  });
}

const requestFor = (secret: string, model: string): string => {
  const body = buildChatBody({ stream: true, model });
  return `POST ${CHAT_PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secret}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
};

test("disconnects waiting and streaming clients within 120 s of the loss of their network", async () => {
  const cable = createNetworkNamespace();
  const address = createNetworkNamespace();
  const upstream = await startUpstream();
  const gateway = await startKeyedGateway(upstream.baseUrl, { HOST: "::", DISCONNECT_HEAD_WAIT_MS: "1" });
  const begin = (network: NetworkNamespace, host: string, model: string) =>
    network.run(CLIENT, [host, String(gateway.port), requestFor(gateway.caller, `x/${model}-model`)]);
  const streams = [
    begin(cable, cable.hosts.ipv4, "stream"),
    begin(cable, cable.hosts.ipv6, "stream"),
    begin(address, address.hosts.ipv4, "stream"),
  ];
  begin(cable, cable.hosts.ipv4, "silent");
  begin(cable, cable.hosts.ipv6, "late");
  begin(address, address.hosts.ipv6, "silent");
  begin(address, address.hosts.ipv4, "late");
  // Clients whose network is not lost.
  const present = ["silent", "stream"].map((model) => {
    const client = new RawClient(gateway.port);
    client.send(requestFor(gateway.caller, `x/${model}-model`));
    return client;
  });
  await waitUntil(() => upstream.seen.length === 9, "all requests at upstream", 20_000);
  await waitUntil(
    () => streams.every(({ stdout }) => stdout().includes("data:")),
    "the streams to begin",
    20_000,
  );
  cable.loseLink();
  address.loseAddress();
  const lostAt = performance.now();
  await waitUntil(
    () => upstream.open.size === present.length,
    "the upstream requests to be aborted",
    GONE_WITHIN_MS,
  );
  console.info(`all clients were disconnected after ${Math.round((performance.now() - lostAt) / 1_000)} s`);
  expect(present.map(({ isClosed }) => isClosed)).toEqual([false, false]);
  const rows = await waitUntil(async () => {
    const ended = (await readRows(gateway)).filter(({ state }) => state !== "open");
    return ended.length === 7 ? ended : undefined;
  }, "the rows");
  expect(rows.map(({ outcome }) => outcome)).toEqual(Array(7).fill("client_gone"));
  const states = (model: string) =>
    rows.filter(({ requested_model }) => requested_model === `x/${model}-model`).map(({ state }) => state);
  expect(states("stream")).toEqual(Array(3).fill("pending"));
}, 200_000);
