import { randomUUID } from "node:crypto";
import type { HttpExchange } from "../simulator/http-exchange.ts";
import type { Simulator } from "../simulator/simulator.ts";
import { ClientCall, type Outgoing, type GatewayTarget } from "./client-call.ts";
import { respondJson, PLAIN_RESPONSE, type Responder } from "./upstream-responses.ts";

/** A request as it arrived upstream. */
export interface ArrivedRequest {
  readonly exchange: HttpExchange;
  readonly body: Buffer;
}

/** Maximum time that the gateway may take to forward a request, and to relay a response. */
export const PASSING_MS = 5_000;

const POLL_MS = 2;

/** The two ends that a check controls: a client of the gateway and its upstream. */
export class Harness {
  readonly target: GatewayTarget;
  /** A text that every request of this check contains. Late requests of other checks lack it. */
  readonly marker: string;
  /** JSON text of a list with one message that contains the marker. */
  readonly messages: string;
  readonly upstreamRequests: ArrivedRequest[] = [];
  readonly #simulator: Simulator;
  readonly #calls: ClientCall[] = [];
  #closed = false;

  constructor(simulator: Simulator, target: GatewayTarget) {
    this.#simulator = simulator;
    this.target = target;
    // Random, so that a gateway with a cache has no cached response.
    this.marker = `verify-${randomUUID()}`;
    this.messages = `[{"role":"user","content":"${this.marker}"}]`;
    this.respondWith(respondJson([PLAIN_RESPONSE]));
  }

  /** Sets upstream's response to this check's requests; by default, {@link PLAIN_RESPONSE}. */
  respondWith(respond: Responder): void {
    this.#simulator.intercept(async (exchange, body) => {
      if (this.#closed || !body.includes(this.marker)) {
        exchange.sendError(500, { message: "No running check sent this request." });
        return;
      }
      this.upstreamRequests.push({ exchange, body });
      await respond(exchange);
    });
  }

  /** Sends a request to the gateway. */
  send(outgoing: Outgoing): ClientCall {
    const call = new ClientCall(this.target, outgoing);
    this.#calls.push(call);
    return call;
  }

  /** Builds a small chat completion. */
  buildChat(stream: boolean): Outgoing {
    const flag = stream ? `,"stream":true` : "";
    return { body: `{"model":"openai/gpt-4o-mini","messages":${this.messages}${flag}}` };
  }

  /** Sends a small chat completion. */
  sendChat(fields: { readonly stream: boolean } & Omit<Partial<Outgoing>, "body">): ClientCall {
    const { stream, ...outgoing } = fields;
    return this.send({ ...outgoing, ...this.buildChat(stream) });
  }

  /** Waits for a complete request at upstream. @throws if none arrives; the message contains the gateway's response. */
  async waitForUpstream(call: ClientCall, deadlineMs = PASSING_MS): Promise<ArrivedRequest> {
    const endMs = performance.now() + deadlineMs;
    for (;;) {
      const [first] = this.upstreamRequests;
      if (first) return first;
      const refused = call.ending !== "open";
      if (refused || performance.now() > endMs) {
        throw new Error(`the request did not reach upstream; the client got ${call.summarize()}`);
      }
      await new Promise((resolve) => void setTimeout(resolve, POLL_MS));
    }
  }

  /** Waits for the whole response. @throws if it is not complete before the deadline. */
  async waitForResponse(call: ClientCall, deadlineMs = PASSING_MS): Promise<ClientCall> {
    const ending = await call.waitForEnd(deadlineMs);
    if (ending !== "whole") throw new Error(`no whole response within ${deadlineMs} ms: ${call.summarize()}`);
    return call;
  }

  /** Closes every open connection on both sides. */
  close(): void {
    this.#closed = true;
    this.#simulator.intercept();
    for (const call of this.#calls) call.disconnect();
    for (const { exchange } of this.upstreamRequests) if (exchange.isOpen) exchange.res.destroy();
  }
}
