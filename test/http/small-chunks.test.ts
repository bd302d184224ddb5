import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { CALLER_KEY } from "../support/gateway.ts";
import { waitForPort, runNode, type TestProcess } from "../support/run-node.ts";
import { RawClient } from "../support/raw-client.ts";
import { formatResponse, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

/** Heap limit of the gateway. One Buffer for each byte of these bodies would need several times as much memory. */
const HEAP_MB = 64;
const BODY_BYTES = 500_000;
const DEADLINE_MS = 60_000;
const MEBIBYTE = 1_048_576;

const ACCOUNT = { OPENROUTER_API_KEY: "sk-or-account", GATEWAY_API_KEYS: `team:${CALLER_KEY}` };

async function startSmallGateway(
  env: Record<string, string>,
): Promise<{ port: number; gateway: TestProcess }> {
  const upstream = await startScriptedUpstream((socket) =>
    socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
  );
  const gateway = runNode("src/server.ts", {
    PORT: "0",
    NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}`,
    OPENROUTER_BASE_URL: upstream.baseUrl,
    ...env,
  });
  return { port: await waitForPort(gateway), gateway };
}

function head(authorization: string): string {
  return (
    `POST ${CHAT_PATH} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n` +
    `authorization: ${authorization}\r\ntransfer-encoding: chunked\r\n\r\n`
  );
}

/** Encodes a body in chunks. Their sizes are `sizes`, repeated in this order. */
function inChunks(body: Buffer, sizes: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, turn = 0; at < body.length; turn++) {
    const piece = body.subarray(at, at + (sizes[turn % sizes.length] ?? 1));
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
    at += piece.length;
  }
  return Buffer.concat(parts);
}

function readPeakRssBytes(pid: number | undefined): number {
  const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1_024;
}

test.each([
  ["a gateway key", ACCOUNT, `Bearer ${CALLER_KEY}`],
  ["an invented key in the mode without an account", {}, "Bearer sk-or-invented"],
])(
  "accepts a body in one-byte chunks within a heap of 64 MB, with %s",
  { timeout: 2 * DEADLINE_MS },
  async (title, env, authorization) => {
    const { port, gateway } = await startSmallGateway(env);
    const before = readPeakRssBytes(gateway.child.pid);
    const client = new RawClient(port);
    client.send(head(authorization));
    client.send(buildChatBody({ user: "x".repeat(BODY_BYTES) }).replaceAll(/./g, "1\r\n$&\r\n"));
    client.send("0\r\n\r\n");
    expect((await client.waitForResponse(title, DEADLINE_MS)).status).toBe(200);
    expect(readPeakRssBytes(gateway.child.pid) - before).toBeLessThan(100 * MEBIBYTE);
  },
);

test(
  "forwards a body in small chunks unchanged, whatever their sizes",
  { timeout: DEADLINE_MS },
  async () => {
    const upstream = await startScriptedUpstream((socket) =>
      socket.write(formatResponse(200, { "content-type": "application/json" }, "{}")),
    );
    const gateway = runNode("src/server.ts", { PORT: "0", OPENROUTER_BASE_URL: upstream.baseUrl });
    const port = await waitForPort(gateway);
    const text = Array.from({ length: 8_000 }, (_, index) => String(index)).join("é");
    const body = Buffer.from(buildChatBody({ user: text }));
    const patterns = [[1], [1, 2, 3], [1, 1, 4_096], [4_095, 1, 2], [2_048], [4_096], [4_097], [1, 60_000]];
    for (const [index, sizes] of patterns.entries()) {
      const client = new RawClient(port);
      client.send(head("Bearer sk-or-own"));
      client.send(inChunks(body, sizes));
      client.send("0\r\n\r\n");
      expect((await client.waitForResponse(`sizes ${sizes.join()}`)).status).toBe(200);
      await waitUntil(() => upstream.seen.length === index + 1, "the body at upstream");
      expect(upstream.seen[index]?.body.equals(body)).toBe(true);
    }
  },
);
