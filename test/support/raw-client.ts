import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { waitUntil } from "./wait.ts";

/** A response as received from the socket. */
export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body so far, without chunked encoding. */
  readonly body: Buffer;
  /** Whether the body is complete: its length is reached, or its last chunk has arrived. */
  readonly complete: boolean;
}

/** A client that reads and writes a plain socket. */
export class RawClient {
  readonly socket: Socket;
  #received: Buffer[] = [];
  /** Whether the connection has ended, cleanly or not. */
  isClosed = false;
  /** The code of the connection's error, if any. */
  error: string | undefined;

  constructor(port: number, { allowHalfOpen = false } = {}) {
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen });
    this.socket.setNoDelay(true);
    this.socket.on("data", (chunk: Buffer) => this.#received.push(chunk));
    this.socket.on("error", (error: NodeJS.ErrnoException) => (this.error = error.code));
    this.socket.on("close", () => (this.isClosed = true));
    onTestFinished(() => void this.socket.destroy());
  }

  /** All bytes received so far. */
  get received(): Buffer {
    if (this.#received.length > 1) this.#received = [Buffer.concat(this.#received)];
    return this.#received[0] ?? Buffer.alloc(0);
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Sends `POST path` with a JSON body. */
  post(path: string, body: string | Uint8Array, headers: Record<string, string> = {}): void {
    const length = Buffer.byteLength(body);
    const lines = Object.entries({
      host: "gateway",
      "content-type": "application/json",
      "content-length": String(length),
      ...headers,
    });
    this.send(
      `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    );
    this.send(body);
  }

  /** Returns the received part of the first response; undefined until its head is complete. */
  readResponse(): RawResponse | undefined {
    return parseResponse(this.received);
  }

  /** Waits for a complete response. */
  async waitForResponse(label: string, deadlineMs?: number): Promise<RawResponse> {
    const done = (): RawResponse | undefined => {
      const response = this.readResponse();
      if (!response?.complete && this.isClosed)
        throw new Error(`${label}: the connection ended before the response`);
      return response?.complete ? response : undefined;
    };
    return waitUntil(done, `the complete response to ${label}`, deadlineMs);
  }

  /** Waits for the connection to end. @returns the received part of the first response. */
  async waitForEnd(label: string, deadlineMs?: number): Promise<RawResponse | undefined> {
    await waitUntil(() => this.isClosed, `the end of the connection of ${label}`, deadlineMs);
    return this.readResponse();
  }
}

/** Parses the first response in `bytes`. @returns undefined if its head is incomplete. */
export function parseResponse(bytes: Buffer): RawResponse | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  const status = Number(statusLine.split(" ")[1]);
  const rest = bytes.subarray(headEnd + 4);
  if (status === 100) return parseResponse(rest);
  if (headers["transfer-encoding"] === "chunked") return { status, headers, ...unchunk(rest) };
  // A 204 has no body and no length (RFC 9110, section 8.6).
  const defaultLength = status === 204 ? 0 : Infinity;
  const length = Number(headers["content-length"] ?? defaultLength);
  return { status, headers, body: rest.subarray(0, length), complete: rest.length >= length };
}

function unchunk(bytes: Buffer): { body: Buffer; complete: boolean } {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) break;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (size === 0) return { body: Buffer.concat(parts), complete: true };
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return { body: Buffer.concat(parts), complete: false };
}
