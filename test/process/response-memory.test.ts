import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { ACCOUNT_KEY, CALLER_KEY } from "../support/gateway.ts";
import { waitForPort, runNode } from "../support/run-node.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  formatResponse,
  type Script,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";

// Tests that a gateway process needs limited memory for responses of any length.

const MIB = 1_048_576;
const AT_ONCE = 12;

async function start(script: Script, env: Record<string, string> = {}) {
  const upstream = await startScriptedUpstream(script);
  const server = runNode("src/server.ts", {
    PORT: "0",
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
    OPENROUTER_BASE_URL: upstream.baseUrl,
    ...env,
  });
  const port = await waitForPort(server);
  const call = (): RawClient => {
    const client = new RawClient(port);
    client.post(CHAT_PATH, buildChatBody(), AUTHORIZATION);
    return client;
  };
  return { upstream, call, pid: server.child.pid as number };
}

/** Begins to measure the memory of a process. @returns a function that returns the peak growth since this call, in bytes. */
function measureGrowth(pid: number): () => number {
  const bytes = (name: string): number =>
    1_024 * Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  const before = bytes("VmRSS");
  // Resets the peak value, see proc(5).
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  return () => bytes("VmHWM") - before;
}

const JSON_TYPE = { "content-type": "application/json" };
const HTML_TYPE = { "content-type": "text/html" };
const items = `{"error":{"message":"m","metadata":[${'{"a":1},'.repeat(880_000)}1]}}`;
const text = `{"error":{"message":"m","metadata":{"raw":"${"é".repeat(10 * MIB)}"}}}`;

test.each([
  ["without a ledger", "JSON with many values", formatResponse(400, JSON_TYPE, items)],
  ["with a ledger", "JSON with many values", formatResponse(400, JSON_TYPE, items)],
  ["with a ledger", "JSON with a long text", formatResponse(500, JSON_TYPE, text)],
  ["with a ledger", "HTML", formatResponse(502, HTML_TYPE, "x".repeat(20 * MIB))],
])(
  "a gateway %s takes less than 10 MiB of memory for each error response with megabytes of %s",
  // The measured peak depends on when the garbage collector runs.
  { timeout: 240_000, retry: 2 },
  async (ledger, _, response) => {
    const { call, pid } = await start(
      (socket) => void socket.write(response),
      ledger === "with a ledger" ? { DATA_DIR: createTemporaryDirectory() } : {},
    );
    const growth = measureGrowth(pid);
    const clients = Array.from({ length: AT_ONCE }, () => call());
    for (const client of clients) await client.waitForResponse("an error", 60_000);
    expect(growth()).toBeLessThan(AT_ONCE * 10 * MIB);
  },
);

test(
  "the gateway takes little memory for an endless response to a slow client, and aborts the response at RESPONSE_LIMIT_BYTES",
  { timeout: 240_000, retry: 2 },
  async () => {
    const event = formatChunk(`: ${"x".repeat(65_000)}\n\n`);
    const { upstream, call, pid } = await start(
      (socket) => {
        socket.write(formatChunkedHead());
        const more = (): void => {
          while (!socket.destroyed && socket.write(event)) continue;
        };
        socket.on("drain", more);
        more();
      },
      { RESPONSE_LIMIT_BYTES: String(100 * MIB) },
    );
    const growth = measureGrowth(pid);
    const clients = Array.from({ length: 4 }, () => call());
    // Limits each client to about 20 MiB/s.
    const timers = clients.map(({ socket }) =>
      setInterval(() => (socket.isPaused() ? socket.resume() : socket.pause()), 5),
    );
    for (const client of clients) {
      const response = await client.waitForEnd("the endless response", 60_000);
      expect(response?.complete).toBe(false);
      expect(response?.body.length).toBeLessThanOrEqual(100 * MIB);
      expect(response?.body.length).toBeGreaterThan(99 * MIB);
    }
    for (const timer of timers) clearInterval(timer);
    expect(growth()).toBeLessThan(160 * MIB);
    await waitUntil(() => upstream.open.size === 0, "the requests to upstream to be aborted");
  },
);
