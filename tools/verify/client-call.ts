import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { ResponseDecoder } from "./response-decoder.ts";

/** The gateway under test, with the key and headers of every request. */
export interface GatewayTarget {
  /** The base URL, as for an SDK, without a trailing slash. */
  readonly url: string;
  readonly key: string;
  /** Headers of every request. They replace default headers of the same name. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A request. Without further fields, it is a POST to `/chat/completions` with default headers. */
export interface Outgoing {
  /** Path relative to the base URL; default `/chat/completions`. */
  readonly path?: string;
  readonly method?: string;
  /** Headers with lower-case names. They replace default headers of the same name; undefined omits a header. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body: string | Uint8Array;
  /** Whether to read nothing of the response until `resume()` is called. */
  readonly paused?: boolean;
}

/** State of a response. `whole`: complete by its framing. `cut` and `reset`: ended before that, by a FIN or by an error. */
type Ending = "open" | "whole" | "cut" | "reset";

// Requests have the headers of openai-node, because some gateways depend on them.
const USER_AGENT = "OpenAI/JS 7.57.0";

function formatRequestHead(target: GatewayTarget, url: URL, outgoing: Outgoing): string {
  const headers: Record<string, string | undefined> = {
    host: url.host,
    authorization: `Bearer ${target.key}`,
    accept: "application/json",
    "content-type": "application/json",
    "user-agent": USER_AGENT,
    "content-length": String(Buffer.byteLength(outgoing.body)),
    ...target.headers,
    ...outgoing.headers,
  };
  const lines = Object.entries(headers)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  const { method = "POST" } = outgoing;
  return `${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

function open(url: URL): Socket {
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return url.protocol === "https:"
    ? connectTls({ host, port, servername: host, ALPNProtocols: ["http/1.1"] })
    : connectPlain({ host, port });
}

/** One request over its own connection, written to a socket without an HTTP client. */
export class ClientCall {
  readonly response = new ResponseDecoder();
  /** Code of the error that ended the connection. */
  error: string | undefined;
  readonly #socket: Socket;
  readonly #watchers = new Set<() => void>();
  #closed = false;

  constructor(target: GatewayTarget, outgoing: Outgoing) {
    const url = new URL(target.url + (outgoing.path ?? "/chat/completions"));
    this.#socket = open(url);
    if (outgoing.paused) this.#socket.pause();
    else this.#listen();
    this.#socket.on("error", (error: NodeJS.ErrnoException) => (this.error = error.code ?? error.message));
    this.#socket.once("close", () => {
      this.#closed = true;
      this.#notifyWatchers();
    });
    this.#socket.write(formatRequestHead(target, url, outgoing));
    this.#socket.write(outgoing.body);
  }

  get ending(): Ending {
    if (this.response.complete) return "whole";
    if (!this.#closed) return "open";
    return this.error === undefined ? "cut" : "reset";
  }

  /** Begins to read the response of a request that was sent with `paused`. */
  resume(): void {
    this.#listen();
    this.#socket.resume();
  }

  /** Closes the connection, like a client whose process is killed. */
  disconnect(): void {
    this.#socket.destroy();
  }

  /** Waits until `probe` returns true, the response has ended, or the deadline has passed. @returns the result of `probe`. */
  waitUntil(probe: () => boolean, deadlineMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(probe());
      };
      const look = (): void => {
        if (probe() || this.#closed || this.response.complete) settle();
      };
      const timer = setTimeout(settle, deadlineMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** Waits until the response has ended, complete or not, at most until the deadline. */
  async waitForEnd(deadlineMs: number): Promise<Ending> {
    await this.waitUntil(() => this.ending !== "open", deadlineMs);
    return this.ending;
  }

  /** Describes the response in one line, for messages. */
  summarize(): string {
    const { status, body } = this.response;
    const ends = {
      open: "still open",
      whole: "whole",
      cut: "cut off",
      reset: `aborted (${this.error ?? ""})`,
    };
    if (status === 0) return `no response, connection ${this.ending === "open" ? "open" : "closed"}`;
    return `status ${status}, ${body.length} bytes, ${ends[this.ending]}: ${JSON.stringify(body.toString("utf8", 0, 160))}`;
  }

  #listen(): void {
    this.#socket.on("data", (bytes: Buffer) => {
      try {
        this.response.push(bytes, performance.now());
      } catch (error) {
        this.error = error instanceof Error ? error.message : String(error);
        this.#socket.destroy();
      }
      this.#notifyWatchers();
    });
    this.#socket.once("end", () => this.response.end());
  }

  #notifyWatchers(): void {
    for (const look of this.#watchers) look();
  }
}
