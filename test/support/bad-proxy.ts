import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";

/** Faults of proxies in front of a gateway. */
export interface ProxyFaults {
  /** Sends a response only when it is complete. */
  readonly buffers?: boolean;
  /** Compresses responses, each chunk at once. */
  readonly compresses?: boolean;
  /** Replaces a text in responses. */
  readonly replaces?: readonly [text: string, by: string];
  /** Destroys the connection when a response is silent for this long. */
  readonly idleMs?: number;
  /** Ends a silent response regularly, in place of destroying its connection. */
  readonly endsRegularly?: boolean;
  /** Destroys the connection this long after the request. */
  readonly totalMs?: number;
  /** Responds with this status and these headers itself. */
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** Refuses longer request bodies with 413. */
  readonly maxBody?: number;
  /** Replaces the id of requests, or removes that of responses. */
  readonly requestId?: "replaced" | "removed";
  /** Closes the connection after each response. */
  readonly closes?: boolean;
  /** Adds X-Forwarded-For to requests. */
  readonly forwardedFor?: string;
  /** Ignores Expect: 100-continue. */
  readonly ignoresExpect?: boolean;
}

/** Starts a proxy in front of a port of this machine. It stops when the test ends. @returns its base URL. */
export async function startBadProxy(targetPort: number, faults: ProxyFaults = {}): Promise<string> {
  const server = createServer((near, response) => forward(near, response, targetPort, faults));
  server.on("checkContinue", (near: IncomingMessage, response: ServerResponse) => {
    if (!faults.ignoresExpect && Number(near.headers["content-length"]) <= (faults.maxBody ?? Infinity))
      response.writeContinue();
    forward(near, response, targetPort, faults);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/openai/v1`;
}

function forward(near: IncomingMessage, response: ServerResponse, port: number, faults: ProxyFaults): void {
  response.on("error", () => {});
  if (faults.status !== undefined) {
    near.resume();
    response.writeHead(faults.status, { server: "bad/1.0", ...faults.headers }).end("<html>");
    return;
  }
  if (Number(near.headers["content-length"]) > (faults.maxBody ?? Infinity)) {
    response.writeHead(413, { server: "bad/1.0", connection: "close" }).end("<html>");
    return;
  }
  if (faults.totalMs !== undefined) setTimeout(() => response.destroy(), faults.totalMs).unref();
  const { expect: _, ...headers } = near.headers;
  if (faults.requestId === "replaced") headers["x-request-id"] = "chosen-by-the-proxy";
  if (faults.forwardedFor !== undefined) headers["x-forwarded-for"] = faults.forwardedFor;
  const far = request(
    { port, host: "127.0.0.1", method: near.method, path: near.url, headers },
    (upstream) => {
      respond(upstream, response, faults);
    },
  );
  far.on("error", () => response.destroy());
  near.pipe(far);
}

function respond(upstream: IncomingMessage, response: ServerResponse, faults: ProxyFaults): void {
  const headers = { ...upstream.headers };
  if (faults.requestId === "removed") delete headers["x-request-id"];
  if (faults.closes) headers.connection = "close";
  if (faults.replaces || faults.compresses) delete headers["content-length"];
  if (faults.compresses) headers["content-encoding"] = "gzip";
  response.writeHead(upstream.statusCode ?? 0, headers);
  const held: Buffer[] = [];
  const silence =
    faults.idleMs === undefined
      ? undefined
      : setTimeout(() => (faults.endsRegularly ? response.end() : response.destroy()), faults.idleMs).unref();
  upstream.on("data", (bytes: Buffer) => {
    silence?.refresh();
    const [text, by] = faults.replaces ?? ["", ""];
    const replaced = text === "" ? bytes : Buffer.from(bytes.toString().replaceAll(text, by));
    if (faults.buffers) held.push(replaced);
    else response.write(faults.compresses ? gzipSync(replaced) : replaced);
  });
  upstream.on("error", () => response.destroy());
  upstream.on("end", () => {
    clearTimeout(silence);
    response.end(Buffer.concat(held));
  });
}
