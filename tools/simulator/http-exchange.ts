// One request and its response. Every response is sent through this class, which counts its bytes and how it ended.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type ErrorDetails, type ErrorFormat, formatError, buildErrorHeaders } from "./errors.ts";
import type { SimulatorState, SeenRequest } from "./state.ts";

// Recorded from OpenRouter, which is behind Cloudflare. A gateway may forward only the last two of these headers.
const COOKIE = "__cf_bm=simulated; path=/; HttpOnly; Secure; SameSite=None";
const USUAL_HEADERS = [
  ["Set-Cookie", COOKIE],
  ["Server", "cloudflare"],
  ["Access-Control-Allow-Origin", "*"],
  ["Access-Control-Expose-Headers", "X-Generation-Id,cf-ray"],
  ["Referrer-Policy", "no-referrer, strict-origin-when-cross-origin"],
  ["X-Content-Type-Options", "nosniff"],
].flat();

/** One request from its head to the end of its response. */
export class HttpExchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly state: SimulatorState;
  readonly seen: SeenRequest;
  /** the form of error bodies that the requested endpoint has */
  formatError: ErrorFormat = formatError;
  /** called once if the client or a simulated fault ends the response early; bills the part that was sent */
  onCutShort: (() => void) | undefined;
  #closed = false;
  #breaking = false;

  constructor(req: IncomingMessage, res: ServerResponse, state: SimulatorState) {
    this.req = req;
    this.res = res;
    this.state = state;
    this.seen = {
      method: req.method ?? "",
      url: req.url ?? "",
      headers: req.headers,
      rawHeaders: req.rawHeaders,
      body: Buffer.alloc(0),
      model: undefined,
      aborted: false,
      startedAtMs: Date.now(),
      bytesSent: 0,
    };
    state.add(this.seen);
    res.once("close", () => this.#close());
  }

  /** Whether a response can still be sent. */
  get isOpen(): boolean {
    return !this.#closed;
  }

  #close(): void {
    this.#closed = true;
    const now = Date.now();
    this.seen.endedAtMs = now;
    if (this.res.writableFinished && !this.#breaking) {
      this.state.completed += 1;
      return;
    }
    if (this.#breaking) {
      this.state.broken += 1;
    } else {
      this.seen.aborted = true;
      this.seen.abortedAtMs = now;
      this.state.aborted += 1;
    }
    this.onCutShort?.();
  }

  #count(bytes: number): void {
    this.seen.bytesSent += bytes;
    this.state.bytesOut += bytes;
  }

  /** Reads the body. @returns undefined if the client disconnects, or if `isEnough` returns true for the first bytes. */
  readBody(isEnough: (start: Buffer) => boolean): Promise<Buffer | undefined> {
    const { req, state } = this;
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      req.on("data", (chunk: Buffer) => {
        state.bytesIn += chunk.length;
        if (chunks.push(chunk) === 1 && isEnough(chunk)) {
          req.pause();
          resolve(undefined);
        }
      });
      req.once("end", () => {
        const body = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
        if (state.keepSeen > 0) this.seen.body = body;
        resolve(body);
      });
      req.once("error", () => resolve(undefined));
    });
  }

  /** Prepares the head, which is sent with the first bytes of the body, or by `res.flushHeaders()`. */
  writeHead(status: number, headers: readonly string[]): void {
    const ray = `${randomUUID().slice(0, 8)}-SIM`;
    this.res.writeHead(status, [...headers, "CF-Ray", ray, ...USUAL_HEADERS]);
  }

  /** Writes bytes to the socket. Does nothing after a disconnect. @returns false if the socket's buffer is full. */
  write(bytes: Buffer | string): boolean {
    if (this.#closed) return false;
    this.#count(Buffer.byteLength(bytes));
    return this.res.write(bytes);
  }

  /** Writes the last bytes and ends the response normally. */
  end(bytes: Buffer | string = ""): void {
    if (this.#closed) return;
    this.#count(Buffer.byteLength(bytes));
    this.res.end(bytes);
  }

  /** Sends a JSON response in one write, without Content-Length, as OpenRouter does. */
  sendJson(status: number, body: string, headers: readonly string[] = []): void {
    if (this.#closed) return;
    this.writeHead(status, ["Content-Type", "application/json", ...headers]);
    this.end(body);
  }

  /** Sends OpenRouter's error with this status. `retryAfter` is in seconds; a negative value omits the header. */
  sendError(status: number, details: ErrorDetails = {}, retryAfter = -1): void {
    this.sendJson(status, this.formatError(status, details), buildErrorHeaders(status, retryAfter));
  }

  /** Aborts the connection after all written data has been passed to the kernel. */
  breakConnection(how: (socket: Socket) => void): void {
    const { socket } = this.req;
    if (this.#closed) return;
    this.#breaking = true;
    // Node corks the socket until the end of this turn of the event loop. The empty write is queued behind the corked data.
    socket.write("", () => setImmediate(() => how(socket)));
  }

  /** Resolves when the socket has drained, or when the client has disconnected. */
  waitUntilWritable(): Promise<void> {
    const { res } = this;
    return new Promise((resolve) => {
      const settle = (): void => {
        res.off("drain", settle);
        res.off("close", settle);
        resolve();
      };
      res.on("drain", settle);
      res.on("close", settle);
    });
  }
}

/** Waits without keeping the process alive. Resolves at once if the duration is 0 or negative. */
export function sleep(durationMs: number): Promise<void> {
  if (durationMs <= 0) return Promise.resolve();
  return new Promise((resolve) => void setTimeout(resolve, durationMs).unref());
}

/** Waits for the event loop's next turn, so that later data is in a separate socket write. */
export function waitForNextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
