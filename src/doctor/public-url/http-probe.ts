import { randomUUID } from "node:crypto";
import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
} from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";

/** Time that a server has for its `100 Continue` before the body is sent anyway. */
const CONTINUE_WAIT_MS = 2_000;
const BODY_MAX_BYTES = 1_048_576;

/** A piece of a response body. */
interface Piece {
  /** ms since the head of the request was sent. */
  readonly atMs: number;
  readonly bytes: Buffer;
}

/** Everything that a client observes of one request. */
export interface Observation {
  /** The `x-request-id` that was sent. The gateway repeats it. */
  readonly requestId: string;
  /** undefined if no response has arrived. */
  readonly status: number | undefined;
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  readonly headMs: number;
  readonly pieces: readonly Piece[];
  /** The whole body as text, decompressed. */
  readonly body: string;
  /** Whether the response ended as its framing requires. */
  readonly isComplete: boolean;
  /** When the response or its connection ended, in ms. */
  readonly endMs: number;
  /** Why the request failed; undefined if the response is complete. */
  readonly error: Error | undefined;
  /** Whether the request used the connection of a previous one. */
  readonly reusedConnection: boolean;
  /** Whether the server sent `100 Continue`; only for requests that ask for it. */
  readonly continued: boolean;
}

/** A request of the probe. */
export interface ProbeRequest {
  readonly method: "GET" | "POST";
  /** Path and query, appended to the base URL. */
  readonly path: string;
  /** Sent after the server has agreed to read it (`Expect: 100-continue`), or after two seconds. */
  readonly body?: Buffer;
  /** Time for the whole exchange. */
  readonly timeoutMs: number;
}

/** Sends requests to the public URL of a gateway as a client does, by HTTP/1.1, and observes the responses. */
export class HttpProbe {
  readonly #baseUrl: string;
  readonly #key: string;
  readonly #agent: HttpAgent;
  readonly #signal: AbortSignal;

  /** @param baseUrl such as https://gateway.example.com/openai/v1. @param key of the gateway. @param signal ends every request. */
  constructor(baseUrl: string, key: string, signal: AbortSignal) {
    this.#baseUrl = baseUrl.replace(/\/+$/, "");
    this.#key = key;
    this.#signal = signal;
    // One connection, so that a second request shows whether the first one's is kept alive.
    const options = { keepAlive: true, maxSockets: 1 };
    this.#agent = baseUrl.startsWith("https:") ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /** Sends a request. @returns the observation, also of a failed request; it never rejects. */
  send({ method, path, body, timeoutMs }: ProbeRequest): Promise<Observation> {
    const url = this.#baseUrl + path;
    const requestId = `doctor-${randomUUID()}`;
    const headers = {
      authorization: `Bearer ${this.#key}`,
      accept: "text/event-stream, application/json",
      "user-agent": "sluice-doctor",
      "x-request-id": requestId,
      // Clients ask for compressed responses, which some proxies then compress and so delay.
      "accept-encoding": "gzip, deflate, br",
      ...(body && {
        "content-type": "application/json",
        "content-length": String(body.length),
        expect: "100-continue",
      }),
    };
    const { promise, resolve } = Promise.withResolvers<Observation>();
    const send = url.startsWith("https:") ? requestHttps : requestHttp;
    const request = send(url, { method, headers, agent: this.#agent, signal: this.#signal });
    const recorder = new Recorder(requestId, resolve);
    const deadline = setTimeout(() => request.destroy(createTimeoutError(timeoutMs)), timeoutMs);
    request.on("close", () => clearTimeout(deadline));
    request.on("error", (error) => recorder.end(error));
    request.on("response", (response) => recorder.read(response, request.reusedSocket));
    if (body) {
      const start = (): void => void request.end(body);
      const timer = setTimeout(start, CONTINUE_WAIT_MS);
      request.once("continue", () => {
        recorder.continued = true;
        start();
      });
      for (const event of ["continue", "response", "error"]) request.once(event, () => clearTimeout(timer));
      request.flushHeaders();
    } else request.end();
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Decompresses a body, so that an error that a proxy has compressed can be read. A body with a mistake is returned as it is. */
function decodeBody(bytes: Buffer, encoding: string | undefined): string {
  const options = { maxOutputLength: BODY_MAX_BYTES };
  try {
    if (encoding === "gzip") return gunzipSync(bytes, options).toString();
    if (encoding === "deflate") return inflateSync(bytes, options).toString();
    if (encoding === "br") return brotliDecompressSync(bytes, options).toString();
  } catch {
    // A stream that was cut off, or a proxy that compresses wrongly; the header is a finding of its own.
  }
  return bytes.toString();
}

function createTimeoutError(timeoutMs: number): Error {
  const error = new Error(`no complete response arrived within ${Math.round(timeoutMs / 1_000)} s`);
  return Object.assign(error, { code: "ETIMEDOUT" });
}

/** Collects the observations of one request. */
class Recorder {
  readonly #requestId: string;
  readonly #resolve: (observation: Observation) => void;
  readonly #startedAt = performance.now();
  readonly #pieces: Piece[] = [];
  #response: IncomingMessage | undefined = undefined;
  #headMs = 0;
  #bytes = 0;
  #reused = false;
  continued = false;

  constructor(requestId: string, resolve: (observation: Observation) => void) {
    this.#requestId = requestId;
    this.#resolve = resolve;
  }

  read(response: IncomingMessage, reused: boolean): void {
    this.#response = response;
    this.#headMs = performance.now() - this.#startedAt;
    this.#reused = reused;
    response.on("data", (bytes: Buffer) => {
      this.#pieces.push({ atMs: performance.now() - this.#startedAt, bytes });
      this.#bytes += bytes.length;
      if (this.#bytes > BODY_MAX_BYTES) response.destroy(new Error("the response is longer than 1 MiB"));
    });
    response.on("error", (error) => this.end(error));
    response.on("end", () => this.end());
  }

  /** Reports the observation. Only the first call counts. */
  end(error?: Error): void {
    const response = this.#response;
    this.#resolve({
      requestId: this.#requestId,
      status: response?.statusCode,
      httpVersion: response?.httpVersion ?? "",
      headers: response?.headers ?? {},
      headMs: this.#headMs,
      pieces: this.#pieces,
      body: decodeBody(
        Buffer.concat(this.#pieces.map(({ bytes }) => bytes)),
        response?.headers["content-encoding"],
      ),
      isComplete: error === undefined && response?.complete === true,
      endMs: performance.now() - this.#startedAt,
      error,
      reusedConnection: this.#reused,
      continued: this.continued,
    });
  }
}
