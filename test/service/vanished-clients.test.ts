import { expect, test } from "vitest";
import { CHAT_PATH, chatBody } from "../support/chat.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { networkNamespace, type NetworkNamespace } from "../support/network-namespace.ts";
import { RawClient } from "../support/raw-client.ts";
import { chunk, chunkedHead, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { until } from "../support/until.ts";
import { rowsIn } from "../support/abandoned-requests.ts";

const GONE_WITHIN_MS = 120_000;
/** Between the probes of TCP keep-alive, so that data is sent to a client that has not answered some of them. */
const LATE_MS = 55_000;
const HEAD = chunkedHead({ "content-type": "text/event-stream", "x-generation-id": "gen-1" });
const CLIENT = `
  const [host, port, request] = process.argv.slice(1);
  const socket = require("node:net").connect(Number(port), host, () => socket.write(request));
  socket.on("data", (bytes) => console.log(String(bytes)));
  socket.on("error", () => {});
  setInterval(() => {}, 1_000);
`;

/** Answers nothing to the model "silent", an event each second to "stream", and the same after a while to "late". */
async function startUpstream() {
  return startScriptedUpstream((socket, { body }) => {
    const timers: NodeJS.Timeout[] = [];
    socket.once("close", () => timers.forEach(clearTimeout));
    const begin = (): void => {
      socket.write(HEAD);
      timers.push(setInterval(() => socket.write(chunk('data: {"choices":[]}\n\n')), 1_000));
    };
    if (body.includes("stream-model")) begin();
    if (body.includes("late-model")) timers.push(setTimeout(begin, LATE_MS));
  });
}

const requestFor = (secret: string, model: string): string => {
  const body = chatBody({ stream: true, model });
  return `POST ${CHAT_PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secret}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
};

test("disconnects clients within 120 s when their network is lost, whether they wait or receive a stream", async () => {
  const cable = networkNamespace();
  const address = networkNamespace();
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
  // Those whose network stays.
  const present = ["silent", "stream"].map((model) => {
    const client = new RawClient(gateway.port);
    client.send(requestFor(gateway.caller, `x/${model}-model`));
    return client;
  });
  await until(() => upstream.seen.length === 9, "the requests at upstream", 20_000);
  await until(
    () => streams.every(({ stdout }) => stdout().includes("data:")),
    "the streams to begin",
    20_000,
  );
  cable.loseLink();
  address.loseAddress();
  const lostAt = performance.now();
  await until(() => upstream.open.size === present.length, "upstream to be aborted", GONE_WITHIN_MS);
  console.info(`all were disconnected after ${Math.round((performance.now() - lostAt) / 1_000)} s`);
  expect(present.map(({ closed }) => closed)).toEqual([false, false]);
  const rows = await until(async () => {
    const ended = (await rowsIn(gateway)).filter(({ state }) => state !== "open");
    return ended.length === 7 ? ended : undefined;
  }, "the rows");
  expect(rows.map(({ outcome }) => outcome)).toEqual(Array(7).fill("client_gone"));
  const states = (model: string) =>
    rows.filter(({ requested_model }) => requested_model === `x/${model}-model`).map(({ state }) => state);
  expect(states("stream")).toEqual(Array(3).fill("pending"));
}, 200_000);
