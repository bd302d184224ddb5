import { randomUUID } from "node:crypto";
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as requestUpstream,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { addUpstreamHeaders, toUpstreamHeaders } from "../../src/http/headers.ts";
import { readChatRequest } from "./read-chat-request.ts";
import { checkResponseHead } from "../../src/relay/response-guard.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import { type BodyFilter, reserialise, UNCHANGED, createCommentFilter } from "./body-filters.ts";

/** A fault that gateways in production have; undefined: the proxy is correct. */
export type ProxyFault =
  /** parses JSON and serialises it again, in requests and in responses that are not streams */
  | "reserialises"
  /** drops comments of streams */
  | "drops-comments"
  /** ends the response cleanly when upstream disconnects */
  | "ends-cleanly"
  /** does not notice that the client disconnects */
  | "never-aborts"
  /** forwards a response only when it is complete */
  | "buffers-responses"
  /** drops all headers except the content type */
  | "few-headers"
  /** turns every upstream error into a 500 with its own message */
  | "rewords-errors"
  /** forwards model ids, keys, headers and errors unchanged */
  | "adds-nothing";

export const PROXY_KEY = "sk-proxy-client-0123456789";
const BASE_PATH = "/openai/v1";
const CHAT_PATH = `${BASE_PATH}/chat/completions`;

/** Starts a plain proxy with one fault or none. @returns its base URL. The proxy stops when the test ends. */
export async function startProxy(upstreamBaseUrl: string, fault?: ProxyFault): Promise<string> {
  const agent = new Agent({ keepAlive: true });
  const server = createServer((req, res) => {
    const proxied = new Proxied(req, res, { upstreamBaseUrl, agent, fault });
    void proxied.serve();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    agent.destroy();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/openai/v1`;
}

interface ProxyOptions {
  readonly upstreamBaseUrl: string;
  readonly agent: Agent;
  readonly fault: ProxyFault | undefined;
}

/** One request through the proxy. */
class Proxied {
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #options: ProxyOptions;

  constructor(req: IncomingMessage, res: ServerResponse, options: ProxyOptions) {
    this.#req = req;
    this.#res = res;
    this.#options = options;
    res.on("error", () => {});
  }

  async serve(): Promise<void> {
    if (this.#options.fault === "adds-nothing") {
      this.#forward(await this.#readBody(), {
        ...(this.#req.headers as Record<string, string>),
        host: "upstream",
      });
      return;
    }
    try {
      if (this.#req.headers.authorization !== `Bearer ${PROXY_KEY}`)
        throw new GatewayError("invalid_api_key", "No valid key.");
      if (this.#req.url !== CHAT_PATH) throw new GatewayError("unknown_url", "No such path.");
      const { body } = readChatRequest(await this.#readBody());
      const ours = { authorization: "Bearer sk-or-account", referer: undefined, title: undefined };
      const forwardedBody = this.#options.fault === "reserialises" ? reserialise(body) : body;
      const { "content-type": type } = this.#req.headers;
      const known = this.#options.fault === "few-headers" ? { "content-type": type } : this.#req.headers;
      this.#forward(forwardedBody, toUpstreamHeaders(known, ours));
    } catch (error) {
      this.#refuse(error as GatewayError);
    }
  }

  async #readBody(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.#req) parts.push(part as Buffer);
    return Buffer.concat(parts);
  }

  #refuse(error: GatewayError): void {
    const head = { "content-type": "application/json", "x-request-id": randomUUID(), ...error.headers };
    this.#res.writeHead(error.status, head).end(error.toJson());
  }

  #forward(body: Buffer, head: Record<string, string>): void {
    const { upstreamBaseUrl, agent, fault } = this.#options;
    const url = upstreamBaseUrl + (this.#req.url ?? "").slice(BASE_PATH.length);
    const headers = { ...head, "content-length": String(body.length) };
    const upstream = requestUpstream(url, { method: "POST", headers, agent });
    upstream.on("response", (response) => this.#respond(response));
    upstream.on("error", () => this.#handleDisconnect());
    upstream.end(body);
    this.#res.on("close", () => {
      if (!this.#res.writableFinished && fault !== "never-aborts") upstream.destroy();
    });
  }

  #respond(response: IncomingMessage): void {
    const { fault } = this.#options;
    response.on("error", () => this.#handleDisconnect());
    const refusal = this.#findRefusal(response);
    if (refusal) {
      response.resume();
      this.#refuse(refusal);
      return;
    }
    const streamed = response.headers["content-type"]?.startsWith("text/event-stream") ?? false;
    if (fault === "buffers-responses" || (fault === "reserialises" && !streamed)) {
      this.#forwardWhenComplete(response);
      return;
    }
    this.#writeHead(response);
    this.#res.flushHeaders();
    this.#relay(response, streamed && fault === "drops-comments" ? createCommentFilter() : UNCHANGED);
  }

  #findRefusal({ statusCode: status = 0, headers }: IncomingMessage): GatewayError | undefined {
    if (this.#options.fault === "adds-nothing") return undefined;
    const refusal = checkResponseHead(readResponseHead(status, headers), true);
    const rewords = this.#options.fault === "rewords-errors" && status >= 400;
    return (
      refusal ??
      (rewords ? new GatewayError("internal_error", `Upstream responded with ${status}.`) : undefined)
    );
  }

  #writeHead({ statusCode = 0, headers, rawHeaders }: IncomingMessage): void {
    const known = { "content-type": headers["content-type"] ?? "" };
    if (this.#options.fault === "adds-nothing") this.#res.writeHead(statusCode, rawHeaders);
    else if (this.#options.fault === "few-headers")
      this.#res.writeHead(statusCode, { "x-request-id": randomUUID(), ...known });
    else this.#res.writeHead(statusCode, addUpstreamHeaders({ "x-request-id": randomUUID() }, headers));
  }

  #relay(response: IncomingMessage, filter: BodyFilter): void {
    const res = this.#res;
    response.on("data", (bytes: Buffer) => {
      if (res.write(filter.pass(bytes))) return;
      response.pause();
      res.once("drain", () => response.resume());
    });
    response.on("end", () => {
      if (response.complete) res.end(filter.flush());
    });
  }

  #forwardWhenComplete(response: IncomingMessage): void {
    const parts: Buffer[] = [];
    response.on("data", (part: Buffer) => parts.push(part));
    response.on("end", () => {
      if (!response.complete) return;
      this.#writeHead(response);
      if (this.#options.fault === "reserialises") this.#res.write(reserialise(Buffer.concat(parts)));
      else for (const part of parts) this.#res.write(part);
      this.#res.end();
    });
  }

  /** Handles an upstream connection that ended before its response was complete. */
  #handleDisconnect(): void {
    const res = this.#res;
    if (res.writableEnded) return;
    if (this.#options.fault === "adds-nothing") res.socket?.destroySoon();
    else if (!res.headersSent)
      this.#refuse(new GatewayError("upstream_disconnected", "Upstream closed the connection."));
    else if (this.#options.fault === "ends-cleanly") res.end();
    else res.socket?.destroySoon();
  }
}
