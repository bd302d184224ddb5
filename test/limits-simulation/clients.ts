import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { openChatRequest } from "../support/chat-client.ts";
import type { Replica } from "../support/replica.ts";
import { createRandom } from "../support/random.ts";
import type { Bills } from "./bills.ts";
import type { SimulatedKey } from "./keys.ts";
import { planRequest, type PlannedRequest, type PlanOptions } from "./plan.ts";

/** Every request takes much less time than this, so a slower request is an error. */
const DEADLINE_MS = 60_000;
/** Pause of a client that ignores a refusal. */
const IGNORED_REFUSAL_MS = 20;
/** Pause of a client that gave its request up, as `x-should-retry: false` demands, until it has a new one. */
const GIVEN_UP_MS = 500;

/** A client's view of its response. Times are ms since 1970. */
export interface ClientOutcome {
  readonly request: PlannedRequest;
  readonly replica: Replica;
  readonly sentAt: number;
  /** Time of the response head, or of the end of the connection. */
  headAt: number;
  /** 0: no response head arrived. */
  status: number;
  /** The code of an error; undefined: no error, or one of upstream. */
  code: string | undefined;
  /** In seconds; undefined: the response has no such header. */
  retryAfterS: number | undefined;
}

/** The clients, their requests and the gateways. */
export interface Load {
  readonly keys: readonly SimulatedKey[];
  readonly replicas: readonly Replica[];
  readonly bills: Bills;
  readonly plan: PlanOptions;
}

interface SendOptions {
  /** Changes the planned request. */
  readonly change?: (request: PlannedRequest) => PlannedRequest;
  /** The gateway; default: a random one. */
  readonly replica?: Replica;
}

/** Removes faults and cancellation from a planned request. */
export function toPlainRequest(request: PlannedRequest): PlannedRequest {
  const padding = /padBytes=\d+/.exec(request.behaviour)?.[0] ?? "padBytes=0";
  return { ...request, behaviour: `ok:${padding}`, disconnectsAfterMs: undefined };
}

/** Sends requests, each over a reused connection if one is idle. */
export class Clients {
  readonly outcomes: ClientOutcome[] = [];
  readonly #load: Load;
  readonly #agent: Agent;
  readonly #random: () => number;
  #number = 0;

  /** @param maxSockets number of clients. */
  constructor(load: Load, maxSockets: number) {
    this.#load = load;
    this.#agent = new Agent({ keepAlive: true, maxSockets });
    this.#random = createRandom(load.plan.seed);
  }

  /**
   * Runs concurrent clients, each with one key, until each has sent its requests.
   * @param onRequest called before each request with the number of requests sent before.
   */
  async run(clients: number, requestsEach: number, onRequest: (sent: number) => void): Promise<void> {
    const keys = this.#load.keys.flatMap((key) => Array.from({ length: key.plan.weight }, () => key));
    const runClient = async (client: number): Promise<void> => {
      const key = keys[client % keys.length] as SimulatedKey;
      const obeys = client % 2 === 0;
      for (let sent = 0; sent < requestsEach; sent++) {
        onRequest(this.#number);
        const outcome = await this.send(key);
        if (this.isRefused(outcome)) await sleep(obeys ? findPause(outcome) : IGNORED_REFUSAL_MS);
      }
    };
    await Promise.all(Array.from({ length: clients }, (_, client) => runClient(client)));
  }

  /** Sends a request of each key to each gateway, so that every gateway knows the prices of the models. */
  async warmUp(): Promise<void> {
    const { keys, replicas } = this.#load;
    await Promise.all(
      replicas.map(async (replica) => {
        for (const key of keys) await this.send(key, { replica, change: toPlainRequest });
      }),
    );
  }

  /** Sends the next planned request of a key to a random gateway. */
  async send(key: SimulatedKey, options: SendOptions = {}): Promise<ClientOutcome> {
    const { plan, bills, replicas } = this.#load;
    const { change = (unchanged) => unchanged } = options;
    const request = change(planRequest(plan, key, this.#number++));
    bills.expect(request);
    const randomReplica = replicas[Math.floor(this.#random() * replicas.length)] as Replica;
    const replica = options.replica ?? randomReplica;
    // A killed gateway loses its requests in flight. Later requests wait until it listens again.
    await replica.whenUp;
    const outcome = await send(this.#agent, replica, request);
    this.outcomes.push(outcome);
    return outcome;
  }

  /** Whether the gateway refused a request: it sent an error, and the request did not reach the simulator. */
  isRefused({ request, status }: ClientOutcome): boolean {
    return status >= 400 && this.#load.bills.findArrival(request.id) === undefined;
  }

  close(): void {
    this.#agent.destroy();
  }
}

function findPause({ retryAfterS }: ClientOutcome): number {
  return retryAfterS === undefined ? GIVEN_UP_MS : retryAfterS * 1_000;
}

function send(agent: Agent, replica: Replica, request: PlannedRequest): Promise<ClientOutcome> {
  const { id, endpoint, key, body, disconnectsAfterMs } = request;
  const sentAt = Date.now();
  const outcome: ClientOutcome = {
    request,
    replica,
    sentAt,
    headAt: sentAt,
    status: 0,
    code: undefined,
    retryAfterS: undefined,
  };
  return new Promise((resolve, reject) => {
    const call = openChatRequest({ agent, port: replica.port, secret: key.secret, id, endpoint });
    const disconnect = disconnectsAfterMs ?? Infinity;
    const timer = disconnect === Infinity ? undefined : setTimeout(() => call.destroy(), disconnect);
    const deadline = setTimeout(
      () => reject(new Error(`${id} took longer than ${DEADLINE_MS} ms`)),
      DEADLINE_MS,
    );
    const end = (): void => {
      clearTimeout(timer);
      clearTimeout(deadline);
      if (outcome.status === 0) outcome.headAt = Date.now();
      resolve(outcome);
    };
    call.on("response", (response) => {
      outcome.headAt = Date.now();
      outcome.status = response.statusCode ?? 0;
      const retryAfter = response.headers["retry-after"];
      if (retryAfter !== undefined) outcome.retryAfterS = Number(retryAfter);
      let text = "";
      response.on("data", (chunk: Buffer) => {
        if (outcome.status >= 400) text += chunk.toString();
      });
      response.on("error", () => {});
      response.on("close", () => {
        outcome.code = /"code":"(\w+)"/.exec(text)?.[1];
        end();
      });
    });
    // The gateway may be dead, or may die during the request.
    call.on("error", end);
    call.end(body);
  });
}
