import { Agent, type ClientRequest, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { hasCompleteEnd, openChatRequest } from "../support/chat-client.ts";
import { createRandom } from "../support/random.ts";
import { sendBroken } from "./broken-requests.ts";
import { type Behaviour, type SoakKind, LARGE_RESPONSE, pickBehaviour, pickKind } from "./kinds.ts";

const NEW_CONNECTION_PERCENT = 20;
const LARGE_BODY_PERCENT = 2;
const LARGE_BODY_BYTES = 300_000;
const DISCONNECT_EARLY_WITHIN_MS = 5;
const DISCONNECT_MIDWAY_WITHIN_MS = 60;
const SLOW_READ_MS = 20;
/** Longer than CLIENT_STALL_TIMEOUT_MS of the soak's gateway. */
const STOPPED_MS = 4_000;
const SLOW_SEND_PIECES = 6;
const SLOW_SEND_MS = 30;
const DEADLINE_MS = 60_000;

/** A request as its client sees it. */
export interface SoakRequest {
  readonly id: string;
  readonly kind: SoakKind;
  readonly behaviour: Behaviour;
  /** The status of the response; 0 if no head arrived. */
  status: number;
  /** Whether a complete response arrived that a client can use. */
  isComplete: boolean;
  /** Code of the client's error, if any. */
  error: string | undefined;
  /** `performance.now()` at the end; 0: in flight. */
  endedAt: number;
}

/** Options of the clients of a soak. */
interface ClientsOptions {
  readonly port: number;
  readonly secrets: readonly string[];
  readonly clients: number;
  readonly seed: number;
  /** Called before each request is sent. */
  readonly onSend: (request: SoakRequest) => void;
  /** Called when the request has ended for its client. */
  readonly onEnd: (request: SoakRequest) => void;
}

/** Clients that send requests of all kinds, one after the other, until they are stopped. */
export class SoakClients {
  readonly #options: ClientsOptions;
  readonly #random: () => number;
  readonly #agent: Agent;
  readonly #loops: Promise<void>[] = [];
  #isStopped = false;
  requests = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.clients });
    for (let client = 0; client < options.clients; client++) this.#loops.push(this.#loop());
  }

  /** Stops after the current requests have ended, and closes the connections. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
    this.#agent.destroy();
  }

  async #loop(): Promise<void> {
    while (!this.#isStopped) await this.#sendOne();
  }

  async #sendOne(): Promise<void> {
    const number = this.requests++;
    const behaviour = pickBehaviour(this.#random());
    const reads = behaviour === "reads-slowly" || behaviour === "stops-reading";
    const kind = reads ? LARGE_RESPONSE : pickKind(this.#random());
    const request: SoakRequest = {
      id: `soak-${number}`,
      kind,
      behaviour,
      status: 0,
      isComplete: false,
      error: undefined,
      endedAt: 0,
    };
    const secret = this.#options.secrets[number % this.#options.secrets.length] ?? "";
    this.#options.onSend(request);
    if (behaviour === "broken-request") request.status = await sendBroken(this.#options.port, secret, number);
    else await this.#send(request, behaviour === "wrong-key" ? `sk-wrong-${number}` : secret);
    request.endedAt = performance.now();
    this.#options.onEnd(request);
  }

  #body({ kind }: SoakRequest): Buffer {
    const isLarge = this.#random() * 100 < LARGE_BODY_PERCENT;
    const words = isLarge ? LARGE_BODY_BYTES / 5 : 1 + this.#random() * 60;
    return Buffer.from(
      JSON.stringify({
        model: kind.model,
        stream: kind.stream ?? this.#random() < 0.6,
        messages: [{ role: "user", content: "word ".repeat(words) }],
      }),
    );
  }

  async #send(request: SoakRequest, secret: string): Promise<void> {
    const body = this.#body(request);
    const call = openChatRequest({
      agent: this.#random() * 100 < NEW_CONNECTION_PERCENT ? false : this.#agent,
      port: this.#options.port,
      secret,
      id: request.id,
      bodyBytes: body.length,
    });
    const ended = followResponse(call, request);
    const timers = [setTimeout(() => call.destroy(new Error("deadline")), DEADLINE_MS)];
    const disconnectWithinMs = {
      "disconnects-early": DISCONNECT_EARLY_WITHIN_MS,
      "disconnects-midway": DISCONNECT_MIDWAY_WITHIN_MS,
    };
    if (request.behaviour === "disconnects-early" || request.behaviour === "disconnects-midway")
      timers.push(setTimeout(() => call.destroy(), this.#random() * disconnectWithinMs[request.behaviour]));
    if (request.behaviour === "sends-slowly") await sendSlowly(call, body);
    else call.end(body);
    await ended;
    for (const timer of timers) clearTimeout(timer);
  }
}

function followResponse(call: ClientRequest, request: SoakRequest): Promise<void> {
  return new Promise((resolve) => {
    call.on("error", (error: NodeJS.ErrnoException) => {
      request.error ??= error.code ?? error.message;
      resolve();
    });
    call.on("response", (response) => {
      request.status = response.statusCode ?? 0;
      void readResponse(response, request).then(resolve);
    });
  });
}

async function readResponse(response: IncomingMessage, request: SoakRequest): Promise<void> {
  let tail = "";
  response.on("data", (chunk: Buffer) => {
    tail = (tail + chunk.toString("latin1")).slice(-64);
    if (request.behaviour === "reads-slowly") {
      response.pause();
      setTimeout(() => response.resume(), SLOW_READ_MS);
    } else if (request.behaviour === "stops-reading") {
      response.pause();
      // A client that does not read cannot notice that the gateway closes its connection.
      setTimeout(() => response.destroy(), STOPPED_MS);
    }
  });
  response.on("error", (error: NodeJS.ErrnoException) => (request.error ??= error.code ?? error.message));
  await new Promise<void>((resolve) => void response.once("close", () => resolve()));
  const isStream = response.headers["content-type"]?.startsWith("text/event-stream") === true;
  request.isComplete = response.complete && hasCompleteEnd(tail, isStream);
}

async function sendSlowly(call: ClientRequest, body: Buffer): Promise<void> {
  const size = Math.ceil(body.length / SLOW_SEND_PIECES);
  for (let at = 0; at < body.length && !call.destroyed; at += size) {
    call.write(body.subarray(at, at + size));
    await sleep(SLOW_SEND_MS);
  }
  call.end();
}
