import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { startMeteredGateway, waitForRow } from "../support/metered-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatChunk, formatChunkedHead, LAST_CHUNK } from "../support/scripted-upstream.ts";
import { STREAM_PROTOCOLS, type StreamProtocol } from "../support/stream-protocols.ts";
import { waitUntil } from "../support/wait.ts";

// Tests of streams that break, for each endpoint that streams.

const HEAD = { "content-type": "text/event-stream" };
const WITH_ID = { ...HEAD, "x-generation-id": "gen-1" };

interface Break {
  readonly protocol: StreamProtocol;
  /** The part of the stream that upstream sends. */
  readonly sent: string;
  readonly head?: Record<string, string>;
  /** Ends upstream's connection, if nothing else ends the stream. */
  readonly endUpstream?: (socket: Socket) => void;
  readonly env?: Record<string, string>;
  /** Whether the gateway shuts down when the client has received what upstream sent. */
  readonly stops?: boolean;
}

/** Relays a stream that breaks. @returns what the client received, and the row in the ledger. */
async function relayBroken({ protocol, sent, head = WITH_ID, endUpstream, env = {}, stops = false }: Break) {
  const { gateway } = await startMeteredGateway((socket) => {
    socket.write(Buffer.concat([Buffer.from(formatChunkedHead(head)), formatChunk(sent)]));
    // The client receives the events before the connection ends.
    if (endUpstream) setTimeout(endUpstream, 50, socket);
  }, env);
  const client = new RawClient(gateway.port);
  client.post(protocol.path, protocol.request, { authorization: `Bearer ${gateway.caller}` });
  if (stops) {
    const length = Buffer.byteLength(sent);
    await waitUntil(() => (client.readResponse()?.body.length ?? 0) >= length, "the events");
    await gateway.stop();
  }
  await waitUntil(() => client.isClosed || client.readResponse()?.complete, "the end of the response");
  const response = client.readResponse();
  const body = response?.body.toString() ?? "";
  return { body, isComplete: response?.complete, row: await waitForRow(gateway) };
}

/** Returns the types of the events that the gateway has added to what upstream sent. */
function readAddedEvents(body: string, sent: string): string[] {
  expect(body.startsWith(sent)).toBe(true);
  const added = body.slice(sent.length);
  expect(added).toMatch(/\n\n$/);
  return added
    .slice(0, -2)
    .split("\n\n")
    .map((event) => {
      const [, name, data = ""] = /^(?:event: (\S+)\n)?data: (.*)$/.exec(event) ?? [];
      const { type } = JSON.parse(data) as { type?: string };
      expect(type).toBe(name);
      return type ?? "error";
    });
}

const BREAKS: [why: string, code: string, options: Partial<Break>][] = [
  [
    "upstream resets the connection",
    "upstream_disconnected",
    { endUpstream: (socket) => socket.resetAndDestroy() },
  ],
  ["upstream cuts the stream", "upstream_disconnected", { endUpstream: (socket) => socket.end() }],
  ["upstream is silent", "upstream_timeout", { env: { UPSTREAM_IDLE_TIMEOUT_MS: "300" } }],
  ["the total timeout passes", "deadline_exceeded", { env: { UPSTREAM_TOTAL_TIMEOUT_MS: "300" } }],
  [
    "the response exceeds its limit",
    "response_too_large",
    {
      env: { RESPONSE_LIMIT_BYTES: "1000" },
      endUpstream: (socket) => socket.write(formatChunk(`: ${"x".repeat(1_000)}\n\n`)),
    },
  ],
  ["the gateway shuts down", "shutting_down", { stops: true }],
];

describe.each(STREAM_PROTOCOLS)("a stream of %s", (_, protocol) => {
  const { first, text, ending, endMarks, errorEvents } = protocol;
  const sent = first + text;

  test.each(BREAKS)("shows an error between two events when %s", async (_why, code, options) => {
    const { body, isComplete, row } = await relayBroken({ protocol, sent, ...options });
    expect(isComplete).toBe(false);
    expect(readAddedEvents(body, sent)).toEqual(errorEvents);
    for (const mark of endMarks) expect(body).not.toContain(mark);
    expect(body).toContain(`"${code}"`);
    const outcome = options.stops ? "rejected" : "upstream_error";
    expect(row).toMatchObject({ outcome, state: "pending", generation_id: "gen-1", cost_nanodollars: null });
  });

  test("gets no event within another event", async () => {
    const half = sent + text.slice(0, 20);
    const endUpstream = (socket: Socket): void => void socket.resetAndDestroy();
    const { body, isComplete, row } = await relayBroken({ protocol, sent: half, endUpstream });
    expect([body, isComplete]).toEqual([half, false]);
    expect(row).toMatchObject({ state: "pending", outcome: "upstream_error" });
  });

  test("is looked up by the id in its first event when it breaks", async () => {
    const endUpstream = (socket: Socket): void => void socket.resetAndDestroy();
    const { row } = await relayBroken({ protocol, sent, head: HEAD, endUpstream });
    expect(row).toMatchObject({ state: "pending", generation_id: "gen-1" });
  });

  test("has an unknown cost when it breaks before its id is known", async () => {
    const endUpstream = (socket: Socket): void => void socket.resetAndDestroy();
    const { body, row } = await relayBroken({
      protocol,
      sent: text.replace("gen-1", "x"),
      head: HEAD,
      endUpstream,
    });
    expect(readAddedEvents(body, text.replace("gen-1", "x"))).toEqual(errorEvents);
    expect(row).toMatchObject({ state: "unknown", generation_id: null });
  });

  test("is settled and ends cleanly when its connection fails after the last event", async () => {
    // Without [DONE], which OpenRouter sends after the last event of the Responses API.
    const complete = sent + ending.replace(/(?<=response\.completed.*\n\n)data: \[DONE\]\n\n$/s, "");
    const endUpstream = (socket: Socket): void => void socket.resetAndDestroy();
    const { body, isComplete, row } = await relayBroken({ protocol, sent: complete, endUpstream });
    expect([body, isComplete]).toEqual([complete, true]);
    expect(row).toMatchObject({ state: "settled", outcome: "complete", cost_nanodollars: 500_000_000 });
  });

  test("ends as it did upstream when upstream ends it cleanly before its last event", async () => {
    const endUpstream = (socket: Socket): void => void socket.write(LAST_CHUNK);
    const { body, isComplete, row } = await relayBroken({ protocol, sent, endUpstream });
    expect([body, isComplete]).toEqual([sent, true]);
    expect(row).toMatchObject({ state: "pending", generation_id: "gen-1", cost_nanodollars: null });
  });
});

test.each(STREAM_PROTOCOLS)(
  "relays an error event of %s unchanged, with the message of upstream",
  async (name, protocol) => {
    const message = "Provider disconnected";
    const events: Record<string, object> = {
      responses: {
        type: "response.failed",
        response: { id: "gen-1", error: { code: "server_error", message } },
      },
      messages: { type: "error", error: { type: "api_error", message } },
    };
    const event = JSON.stringify(events[name] ?? { id: "gen-1", error: { code: 502, message }, choices: [] });
    const sent = `${protocol.first}event: error\ndata: ${event}\n\n`;
    const endUpstream = (socket: Socket): void => void socket.write(LAST_CHUNK);
    const { body, isComplete, row } = await relayBroken({ protocol, sent, endUpstream });
    expect([body, isComplete]).toEqual([sent, true]);
    expect(row).toMatchObject({ state: "pending", outcome: "upstream_error" });
  },
);
