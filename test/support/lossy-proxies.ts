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
import { RELAYED_ENDPOINTS, type RelayedEndpoint } from "../../src/endpoints/relayed-endpoints.ts";
import { type ErrorFormat, OPENAI_ERRORS } from "../../src/http/error-format.ts";
import { addUpstreamHeaders, toUpstreamHeaders } from "../../src/http/headers.ts";
import { abortResponse } from "../../src/relay/abort-response.ts";
import { checkResponseHead } from "../../src/relay/response-guard.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import { readModelRequest } from "../../src/request/model-request.ts";
import { readResponseHead } from "../../src/upstream/response-head.ts";
import {
  type BodyFilter,
  createCommentFilter,
  createDataFilter,
  createEndFilter,
  removeEveryPrefix,
  reserialise,
  UNCHANGED,
} from "./body-filters.ts";

/** A fault that occurs in gateways in production. Undefined if the proxy is correct. */
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
  /** drops all headers except the content type, and the query */
  | "few-headers"
  /** turns every upstream error into a 500 with its own message */
  | "rewords-errors"
  /** forwards model ids, keys, headers and errors unchanged */
  | "adds-nothing"
  /** removes the prefix of every string that begins with it */
  | "removes-every-prefix"
  /** parses the data of events and serialises it again, without the other lines of a stream */
  | "rewrites-events"
  /** adds the last event to every stream that lacks it */
  | "invents-ends"
  /** reports its own errors on every endpoint as on chat completions, also within a stream that upstream cut off */
  | "chat-errors"
  /** has only chat completions */
  | "only-chat";

export const PROXY_KEY = "sk-proxy-client-0123456789";
const BASE_PATH = "/openai/v1";

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
  /** undefined if the proxy does not have the requested endpoint. */
  readonly #endpoint: RelayedEndpoint | undefined;
  #isStream = false;
  #filter: BodyFilter = UNCHANGED;

  constructor(req: IncomingMessage, res: ServerResponse, options: ProxyOptions) {
    this.#req = req;
    this.#res = res;
    this.#options = options;
    const [url = ""] = (req.url ?? "").split("?", 1);
    const endpoints = options.fault === "only-chat" ? RELAYED_ENDPOINTS.slice(0, 1) : RELAYED_ENDPOINTS;
    this.#endpoint = endpoints.find(({ path }) => url === `${BASE_PATH}/${path}`);
    res.on("error", () => {});
  }

  async serve(): Promise<void> {
    const { headers, url = "", method } = this.#req;
    if (this.#options.fault === "adds-nothing") {
      this.#forward(url, await this.#readBody(), {
        ...(headers as Record<string, string>),
        host: "upstream",
      });
      return;
    }
    try {
      const keys = [headers.authorization, `Bearer ${String(headers["x-api-key"])}`];
      if (!keys.includes(`Bearer ${PROXY_KEY}`)) throw new GatewayError("invalid_api_key", "No valid key.");
      if (!this.#endpoint) throw new GatewayError("unknown_url", "No such path.");
      if (method !== "POST") throw new GatewayError("upgrade_not_supported");
      const { body } = readModelRequest(await this.#readBody(), this.#endpoint.request, NO_ALIASES);
      this.#forward(this.#chooseUrl(url), this.#changeBody(body), this.#chooseHeaders(this.#endpoint));
    } catch (error) {
      this.#refuse(error as GatewayError);
    }
  }

  #chooseUrl(url: string): string {
    return this.#options.fault === "few-headers" ? (url.split("?", 1)[0] ?? "") : url;
  }

  #changeBody(body: Buffer): Buffer {
    if (this.#options.fault === "reserialises") return reserialise(body);
    return this.#options.fault === "removes-every-prefix" ? removeEveryPrefix(body) : body;
  }

  #chooseHeaders({ forwardsAnthropicHeaders }: RelayedEndpoint): Record<string, string> {
    const { headers } = this.#req;
    const isFew = this.#options.fault === "few-headers";
    return toUpstreamHeaders(isFew ? { "content-type": headers["content-type"] } : headers, {
      authorization: "Bearer sk-or-account",
      referer: undefined,
      title: undefined,
      prefix: forwardsAnthropicHeaders ? "anthropic-" : undefined,
    });
  }

  async #readBody(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.#req) parts.push(part as Buffer);
    return Buffer.concat(parts);
  }

  #refuse(error: GatewayError): void {
    const id = randomUUID();
    const head = { "content-type": "application/json", "x-request-id": id, ...error.headers };
    this.#res.writeHead(error.status, head).end(this.#errors.formatBody(error, { id, headers: {} }));
  }

  get #errors(): ErrorFormat {
    const own = this.#options.fault === "chat-errors" ? undefined : this.#endpoint?.errors;
    return own ?? OPENAI_ERRORS;
  }

  #forward(url: string, body: Buffer, head: Record<string, string>): void {
    const { upstreamBaseUrl, agent, fault } = this.#options;
    const headers = { ...head, "content-length": String(body.length) };
    const { method } = this.#req;
    const upstream = requestUpstream(upstreamBaseUrl + url.slice(BASE_PATH.length), {
      method,
      headers,
      agent,
    });
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
    this.#isStream = streamed;
    if (streamed) this.#filter = this.#createStreamFilter();
    this.#relay(response);
  }

  #createStreamFilter(): BodyFilter {
    const { fault } = this.#options;
    if (fault === "drops-comments") return createCommentFilter();
    if (fault === "rewrites-events") return createDataFilter();
    return fault === "invents-ends" ? createEndFilter(this.#endpoint?.path ?? "") : UNCHANGED;
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

  #relay(response: IncomingMessage): void {
    const res = this.#res;
    const filter = this.#filter;
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
    else abortResponse(res, this.#chooseLastEvents());
  }
  #chooseLastEvents(): string | undefined {
    const { fault } = this.#options;
    if (fault === "invents-ends") return this.#filter.flush().toString();
    const error = new GatewayError("upstream_disconnected");
    return fault === "chat-errors" && this.#isStream ? OPENAI_ERRORS.formatEvents(error, "") : undefined;
  }
}
