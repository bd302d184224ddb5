import { createServer, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A request as upstream received it. */
export interface UpstreamRequest {
  readonly line: string;
  /** Names are in lower case. Repeated headers are joined with commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface ScriptedUpstream {
  readonly baseUrl: string;
  readonly port: number;
  /** Complete requests, in order. */
  readonly seen: readonly UpstreamRequest[];
  /** Number of connections so far. */
  connections: number;
  /** Connections that are open now. */
  readonly open: ReadonlySet<Socket>;
}

/** Responds to a request: writes bytes to the socket, or does nothing. */
export type Script = (socket: Socket, request: UpstreamRequest) => void;

/** Starts an upstream that reads complete requests and calls the script for each. */
export async function startScriptedUpstream(script: Script): Promise<ScriptedUpstream> {
  const seen: UpstreamRequest[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    upstream.connections++;
    open.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    let pending: Buffer[] = [];
    // Lets the server join the chunks of a large body once, instead of after each read.
    let missingBytes = 0;
    socket.on("data", (bytes: Buffer) => {
      pending.push(bytes);
      missingBytes -= bytes.length;
      if (missingBytes > 0) return;
      const request = parseRequest(Buffer.concat(pending));
      if (typeof request === "number") {
        missingBytes = request;
        return;
      }
      pending = [];
      seen.push(request);
      script(socket, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const upstream = { baseUrl: `http://127.0.0.1:${port}/api/v1`, port, seen, connections: 0, open };
  return upstream;
}

/** @returns the request; if it is incomplete, the minimum number of missing bytes. */
function parseRequest(bytes: Buffer): UpstreamRequest | number {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return 1;
  const [line = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const headers: Record<string, string> = {};
  for (const header of lines) {
    const colon = header.indexOf(":");
    const name = header.slice(0, colon).toLowerCase();
    const value = header.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  const body = bytes.subarray(headEnd + 4);
  const missingBytes = Number(headers["content-length"] ?? 0) - body.length;
  return missingBytes > 0 ? missingBytes : { line, headers, body };
}

/** Formats a complete response with a content-length header. */
export function formatResponse(
  status: number,
  headers: Record<string, string>,
  body: string | Uint8Array = "",
): Buffer {
  const lines = Object.entries({ "content-length": String(Buffer.byteLength(body)), ...headers });
  return Buffer.concat([
    Buffer.from(
      `HTTP/1.1 ${status} Status\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
      "latin1",
    ),
    Buffer.from(body),
  ]);
}

/** Formats the head of a chunked response. */
export function formatChunkedHead(
  headers: Record<string, string> = { "content-type": "text/event-stream" },
  status = 200,
): string {
  const lines = Object.entries({ ...headers, "transfer-encoding": "chunked" });
  return `HTTP/1.1 ${status} Status\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/** Formats one chunk of a chunked body. */
export function formatChunk(bytes: string | Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`${Buffer.byteLength(bytes).toString(16)}\r\n`),
    Buffer.from(bytes),
    Buffer.from("\r\n"),
  ]);
}

export const LAST_CHUNK = "0\r\n\r\n";
