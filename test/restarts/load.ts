import { Agent, type ClientRequest, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { hasCompleteEnd, openChatRequest } from "../support/chat-client.ts";
import { createRandom } from "../support/random.ts";

/** The phase in which a request was lost. */
type Phase = "connect" | "head" | "body";

/** A lost request: its client received no complete response, or a status other than 200. */
export interface Loss {
  /** Milliseconds since a gateway last received SIGTERM, as a hint at the cause. */
  readonly afterStopMs: number;
  readonly kind: string;
  readonly phase: Phase;
  /** The status of the response; 0 if no head arrived. */
  readonly status: number;
  /** The system's error code, or the reason why the response was incomplete. */
  readonly cause: string;
  /** Whether an earlier request had used the same connection. */
  readonly reusedConnection: boolean;
}

interface Kind {
  readonly name: string;
  /** Percentage of requests of this kind. */
  readonly percent: number;
  readonly model: string;
  readonly stream: boolean;
  readonly promptBytes: number;
}

/** Kinds of requests. The simulator completes its response to each in less than 2 s. */
const KINDS: readonly Kind[] = [
  { name: "json", percent: 35, model: "sim/ok", stream: false, promptBytes: 200 },
  { name: "slow-json", percent: 15, model: "sim/ok:delayMs=30,gapMs=5", stream: false, promptBytes: 200 },
  { name: "large-json", percent: 10, model: "sim/ok", stream: false, promptBytes: 128 * 1024 },
  { name: "stream", percent: 36, model: "sim/ok:gapMs=4", stream: true, promptBytes: 200 },
  { name: "long-stream", percent: 4, model: "sim/ok:gapMs=60,events=20", stream: true, promptBytes: 200 },
];
const NEW_CONNECTION_PERCENT = 20;
/** Percentage of requests after which the client pauses, so that its connection is idle. */
const THINKING_PERCENT = 40;
const THINKING_MAX_MS = 40;
const DEADLINE_MS = 60_000;

/** Options of a load. */
interface LoadOptions {
  /** Ports that receive requests in turn. If a port refuses the connection, the client tries the next port. */
  readonly ports: readonly number[];
  readonly secret: string;
  readonly clients: number;
  readonly seed: number;
  readonly onLoss: (loss: Loss) => void;
}

/** Clients, each of which sends requests of all kinds one after the other, over reused and new connections. */
export class MixedLoad {
  readonly #options: LoadOptions;
  readonly #random: () => number;
  readonly #agent: Agent;
  readonly #loops: Promise<void>[] = [];
  #stoppedAt = performance.now();
  #isStopped = false;
  #started = 0;
  /** Number of ended requests, including lost ones. */
  requests = 0;
  /** Number of refused connections; 0 if there is only one port, because a refused connection then is a loss. */
  refused = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.clients });
  }

  start(): void {
    for (let client = 0; client < this.#options.clients; client++) this.#loops.push(this.#runClient());
  }

  /** Records that a gateway receives SIGTERM now. */
  markStop(): void {
    this.#stoppedAt = performance.now();
  }

  /** Stops the clients after their current requests have ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
    this.#agent.destroy();
  }

  #hasChance(percent: number): boolean {
    return this.#random() * 100 < percent;
  }

  async #runClient(): Promise<void> {
    while (!this.#isStopped) {
      const kind = this.#pickKind();
      const body = JSON.stringify({
        model: kind.model,
        stream: kind.stream,
        messages: [{ role: "user", content: "x".repeat(kind.promptBytes) }],
      });
      const agent = this.#hasChance(NEW_CONNECTION_PERCENT) ? false : this.#agent;
      const loss = await this.#send(kind, body, agent);
      this.requests += 1;
      if (loss) this.#options.onLoss(loss);
      if (this.#hasChance(THINKING_PERCENT)) await sleep(this.#random() * THINKING_MAX_MS);
    }
  }

  #pickKind(): Kind {
    let below = this.#random() * 100;
    return KINDS.find(({ percent }) => (below -= percent) < 0) ?? (KINDS[0] as Kind);
  }

  async #send(kind: Kind, body: string, agent: Agent | false): Promise<Loss | undefined> {
    const { ports } = this.#options;
    const first = this.#started++;
    let loss: Loss | undefined;
    for (let attempt = 0; attempt < ports.length; attempt++) {
      const port = ports[(first + attempt) % ports.length] ?? 0;
      loss = await this.#sendOnce(kind, body, { agent, port });
      // After ECONNREFUSED, nothing was sent, so the client tries another gateway, as a load balancer would.
      if (loss?.cause !== "ECONNREFUSED" || ports.length === 1) return loss;
      this.refused += 1;
    }
    return loss;
  }

  #sendOnce(
    kind: Kind,
    body: string,
    { agent, port }: { agent: Agent | false; port: number },
  ): Promise<Loss | undefined> {
    return new Promise((resolve) => {
      const call = openChatRequest({ agent, port, secret: this.#options.secret });
      const state: { phase: Phase; status: number } = { phase: "connect", status: 0 };
      const end = (cause: string | undefined): void => {
        clearTimeout(deadline);
        const lost = cause !== undefined && { kind: kind.name, ...state, cause, ...this.#describeLoss(call) };
        resolve(lost || undefined);
      };
      const deadline = setTimeout(() => {
        end("deadline");
        call.destroy();
      }, DEADLINE_MS);
      call.on("finish", () => (state.phase = "head"));
      call.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      call.on("response", (response) => {
        Object.assign(state, { phase: "body", status: response.statusCode });
        void readResponse(response, kind.stream).then(end);
      });
      call.end(body);
    });
  }

  #describeLoss(call: ClientRequest): { afterStopMs: number; reusedConnection: boolean } {
    return {
      afterStopMs: Math.round(performance.now() - this.#stoppedAt),
      reusedConnection: call.reusedSocket,
    };
  }
}

/** Reads a response to its end. @returns why a client cannot use the response; undefined if the response is complete. */
async function readResponse(response: IncomingMessage, isStream: boolean): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
  const text = Buffer.concat(chunks).toString();
  if (response.statusCode !== 200)
    return /"code":\s*"([a-z_]+)"/.exec(text)?.[1] ?? `HTTP ${response.statusCode}`;
  return hasCompleteEnd(text, isStream) ? undefined : "incomplete";
}
