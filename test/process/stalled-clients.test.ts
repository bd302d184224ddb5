import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { ACCOUNT_KEY } from "../support/gateway.ts";
import { waitForPort, runNode, type TestProcess } from "../support/run-node.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  formatChunk,
  formatChunkedHead,
  formatResponse,
  startScriptedUpstream,
} from "../support/scripted-upstream.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";

const STALL_MS = 400;
const MODELS = JSON.stringify({
  data: Array.from({ length: 5_000 }, (_, index) => ({ id: `a/${index}`, description: "x".repeat(1_000) })),
});
const COMPLETION = JSON.stringify({ id: "gen-1", text: "x".repeat(12 * 1_048_576) });
const BUNDLE = "/docs/static/swagger-ui-bundle.js";

interface Running {
  readonly server: TestProcess;
  readonly port: number;
  readonly caller: string;
  readonly admin: string;
}

/** Starts a gateway process with a ledger, in front of an upstream that sends long responses. */
async function startServer(env: Record<string, string> = {}): Promise<Running> {
  // Kept-alive connections to upstream would count among the server's open files.
  const json = { "content-type": "application/json", connection: "close" };
  const upstream = await startScriptedUpstream((socket, { line, body }) => {
    if (line.startsWith("GET")) socket.end(formatResponse(200, json, MODELS));
    else if (body.includes("stream")) {
      socket.write(formatChunkedHead());
      for (let count = 0; count < 12; count++) socket.write(formatChunk(`: ${"x".repeat(1_048_576)}\n\n`));
    } else socket.end(formatResponse(200, json, COMPLETION));
  });
  const server = runNode("src/server.ts", {
    PORT: "0",
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    OPENROUTER_BASE_URL: upstream.baseUrl,
    DATA_DIR: createTemporaryDirectory(),
    CLIENT_STALL_TIMEOUT_MS: String(STALL_MS),
    // Longer than the test, so that only the stall timeout can close a connection in time.
    KEEP_ALIVE_TIMEOUT_MS: "600000",
    ...env,
  });
  const port = await waitForPort(server);
  const [caller = "", admin = ""] = server.stderr().match(/sk-slc-\w{49}/g) ?? [];
  return { server, port, caller, admin };
}

/**
 * Counts the server's open client connections, and the files of the page at `/docs` that it has open. The server should
 * read each of these files only once.
 */
function countOpen({ server: { child }, port }: Running): number {
  const proc = `/proc/${child.pid}`;
  const end = port.toString(16).toUpperCase().padStart(4, "0");
  // The kernel may keep the line of a closed connection, with inode 0.
  const owned = new RegExp(
    `^ *\\d+: [\\dA-F]+:${end} \\S+ (?!0A)\\S+ \\S+ \\S+ \\S+ +\\d+ +\\d+ [1-9]`,
    "gm",
  );
  const connections = readFileSync(`${proc}/net/tcp`, "latin1").match(owned)?.length ?? 0;
  return (
    connections +
    readdirSync(`${proc}/fd`).filter((fd) => readTarget(`${proc}/fd/${fd}`).includes("swagger")).length
  );
}

function readTarget(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "closed";
  }
}

function rssBytes({ server: { child } }: Running): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, "latin1"))?.[1]) * 1_024;
}

const get = (path: string, secret = ""): string =>
  `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secret}\r\n\r\n`;
const post = (secret: string, body: string): string =>
  `POST ${CHAT_PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secret}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

type Kinds = Readonly<Record<string, [request: string, times: number]>>;

/** Lists requests with long responses, and how often each must be pipelined to fill the kernel's buffers. */
const listLongKinds = ({ caller, admin }: Running): Kinds => ({
  "a stream": [post(caller, buildChatBody({ stream: true })), 1],
  "a completion": [post(caller, buildChatBody()), 1],
  "the models": [get("/openai/v1/models", caller), 3],
  "a file of the page": [get(BUNDLE), 20],
  "the keys behind a file of the page": [get(BUNDLE).repeat(10) + get("/admin/v1/keys", admin), 4],
});

/** Lists requests with short responses. The server closes the connection of a client that pipelines this many. */
const listShortKinds = ({ caller, admin }: Running): Kinds => ({
  "a model": [get("/openai/v1/models/a/1", caller), 8_000],
  "the description of the API": [get("/openapi.json"), 400],
  "failed log-ins": [get("/openai/v1/models"), 12_000],
  "unknown URLs": [get("/none"), 12_000],
  "the wrong method": [get(CHAT_PATH, caller), 12_000],
  preflights: ["OPTIONS /openai/v1/models HTTP/1.1\r\nhost: x\r\norigin: http://a\r\n\r\n", 16_000],
  "the keys": [get("/admin/v1/keys", admin), 8_000],
});

test("resets the connection of a client that reads no response, whatever it requested", async () => {
  const running = await startServer();
  const stuck: string[] = [];
  for (const [kind, [request, times]] of Object.entries(listLongKinds(running))) {
    const client = new RawClient(running.port);
    client.socket.pause();
    client.send(request.repeat(times));
    await waitUntil(() => countOpen(running) > 0, `the connection of ${kind}`, 15_000);
    await waitUntil(() => countOpen(running) === 0, `the reset of ${kind}`, 20_000).catch(() =>
      stuck.push(kind),
    );
    client.socket.destroy();
    await waitUntil(() => countOpen(running) === 0, `the client of ${kind} to disconnect`, 20_000);
  }
  expect(stuck).toEqual([]);
}, 240_000);

test("closes the connection of a client that sends hundreds of requests at once, whatever it requests", async () => {
  const running = await startServer();
  for (const [kind, [request, times]] of Object.entries(listShortKinds(running))) {
    const client = new RawClient(running.port);
    client.send(request.repeat(times));
    await waitUntil(() => client.isClosed, `the end of ${kind}`, 20_000);
  }
  await waitUntil(() => countOpen(running) === 0, "every connection to be closed", 20_000);
  expect(running.server.child.exitCode).toBeNull();
}, 240_000);

test("releases the descriptors and the memory of clients that do not read a file", async () => {
  const running = await startServer();
  const rss: number[] = [];
  for (let round = 0; round < 4; round++) {
    const clients = Array.from({ length: 50 }, () => new RawClient(running.port));
    // No client sends requests before all have connected. Otherwise, on a busy machine, the server could reset the
    // first clients before the last one connects.
    await waitUntil(() => countOpen(running) === clients.length, "the clients to connect", 15_000);
    for (const { socket } of clients) socket.pause().write(get(BUNDLE).repeat(8));
    await waitUntil(
      () => clients.every(({ socket }) => socket.bytesWritten > 0),
      "the requests to be sent",
      15_000,
    );
    await waitUntil(() => countOpen(running) === 0, "the descriptors to be closed", 20_000);
    rss.push(rssBytes(running));
  }
  // Later rounds reuse the memory of the first two.
  expect((rss[3] ?? 0) - (rss[1] ?? 0)).toBeLessThan(64 * 1_048_576);
}, 120_000);

test("resets the connection of a client that reads nothing and keeps sending single bytes", async () => {
  const running = await startServer();
  const client = new RawClient(running.port);
  client.socket.pause();
  client.send(post(running.caller, buildChatBody({ stream: true })));
  const dribble = setInterval(() => client.send("G"), STALL_MS / 4);
  await waitUntil(() => client.isClosed, "the reset", 8_000).finally(() => clearInterval(dribble));
  expect(client.error).toMatch(/ECONNRESET|EPIPE/);
});

test("resets the connection of a client that closes its sending half and then reads nothing", async () => {
  const running = await startServer();
  const client = new RawClient(running.port, { allowHalfOpen: true });
  client.socket.pause();
  client.socket.end(get("/openai/v1/models", running.caller).repeat(3));
  const log = (): string => running.server.stdout();
  await waitUntil(() => log().includes('"outcome":"client_gone"'), "the request's log line", 15_000);
  await waitUntil(() => countOpen(running) === 0, "the end of the connection", 8_000);
  expect(client.received.length).toBeLessThan(MODELS.length);
});

test("keeps the connection of a client that reads a large response slowly, and sends it every byte", async () => {
  // The timeout is long, because on a busy machine this process may read nothing for some time.
  const stallMs = 2_000;
  const { port, caller } = await startServer({ CLIENT_STALL_TIMEOUT_MS: String(stallMs) });
  const client = new RawClient(port);
  client.send(post(caller, buildChatBody()));
  const begun = performance.now();
  for (let before = -1; before !== client.received.length;) {
    before = client.received.length;
    client.socket.resume();
    await waitUntil(() => client.received.length > before || client.readResponse()?.complete, "more bytes");
    if (client.readResponse()?.complete) break;
    client.socket.pause();
    await sleep(stallMs / 4);
  }
  expect(client.readResponse()?.body.toString()).toBe(COMPLETION);
  expect(performance.now() - begun).toBeGreaterThan(stallMs);
}, 60_000);
