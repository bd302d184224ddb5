import type { Socket } from "node:net";
import { expect, test } from "vitest";
import type { KeyedGateway } from "../support/keyed-gateway.ts";
import { chunk, chunkedHead, LAST_CHUNK } from "../support/scripted-upstream.ts";
import { until } from "../support/until.ts";
import { rowOf, startWithLedger, stream } from "../support/abandoned-requests.ts";

// An answer without an X-Generation-Id header.
const HEAD = chunkedHead();
const EVENT = 'data: {"id":"gen-1","model":"a/b","choices":[]}\n\n';
const COMMENT = chunk(": OPENROUTER PROCESSING\n\n");
const USAGE =
  'data: {"model":"a/b","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.5}}\n\n';
const REST = Buffer.concat([chunk(USAGE), chunk("data: [DONE]\n\n"), Buffer.from(LAST_CHUNK)]);

/** Asks, and leaves before the head or, if the head has been sent, after its first bytes. */
async function askAndLeave(gateway: KeyedGateway, secret: string, left: () => unknown): Promise<void> {
  const client = stream(gateway.port, secret);
  await until(() => client.response()?.body.length ?? left(), "the moment to leave");
  client.socket.resetAndDestroy();
  await until(() => client.closed, "the client to leave");
  await gateway.call(gateway.caller, { method: "GET", path: "/openai/v1/key", body: "" });
}

const STREAMED = { head: HEAD, filler: COMMENT, names: EVENT };
const PLAIN = {
  head: chunkedHead({ "content-type": "application/json" }),
  filler: chunk("\n         \n"),
  names: '{"id":"gen-1","object":"chat.completion","created":1,"model":"a/b","provider":"A",',
};

test.each([
  ["a stream", "before the head", STREAMED],
  ["a stream", "in the middle", STREAMED],
  ["a plain answer", "before the head", PLAIN],
  ["a plain answer", "in the middle", PLAIN],
])(
  "reads %s without an id in its head until its body names one when the client left %s",
  async (_, when, { head, filler, names }) => {
    const held: Socket[] = [];
    const { gateway, upstream } = await startWithLedger((socket) => {
      held.push(socket);
      if (when === "in the middle") socket.write(Buffer.concat([Buffer.from(head), filler]));
    });
    await askAndLeave(gateway, gateway.caller, () => when === "before the head" && held.length);
    expect(upstream.open.size).toBe(1);
    if (when === "before the head") held[0]?.write(head);
    held[0]?.write(filler);
    held[0]?.write(chunk(names));
    await until(() => upstream.open.size === 0, "the abort at upstream");
    expect(await rowOf(gateway)).toMatchObject({
      state: "pending",
      outcome: "client_gone",
      generation_id: "gen-1",
    });
  },
);

test("reads no more than 64 KiB of an answer that never names its generation", async () => {
  const { gateway, upstream } = await startWithLedger((socket) => {
    const timer = setInterval(() => socket.write(chunk(`: ${"x".repeat(10_000)}\n\n`)), 2);
    socket.on("close", () => clearInterval(timer));
    socket.write(HEAD);
  });
  await askAndLeave(gateway, gateway.caller, () => false);
  await until(() => upstream.open.size === 0, "the abort at upstream");
  expect(await rowOf(gateway)).toMatchObject({ state: "unknown", outcome: "client_gone" });
  expect(gateway.log()).toContain("the cost of a request will not be known");
});

test.each(["cancel", "drain"])(
  "takes the cost from an answer that ends without naming its generation for a key whose policy is %s",
  async (policy) => {
    const held: Socket[] = [];
    const { gateway, secret } = await startWithLedger((socket) => void held.push(socket));
    await askAndLeave(gateway, policy === "drain" ? secret : gateway.caller, () => held.length);
    held[0]?.write(Buffer.concat([Buffer.from(HEAD), REST]));
    expect(await rowOf(gateway)).toMatchObject({
      state: "settled",
      cost_source: "stream",
      cost_nanodollars: 500_000_000,
    });
  },
);
