import { setTimeout as sleep } from "node:timers/promises";
import { MINUTE_MS } from "../durations.ts";
import { type Caller, computeActivity, nameEndUser } from "./callers.ts";
import { SeededRandom } from "./seeded-random.ts";
import type { DemoKeys } from "./write-history.ts";

const SEED = 7;
const OPENING_MS = 5 * MINUTE_MS;
const OPENING_INTERVAL_MS = 900;
const LATER_INTERVAL_MS = 8_000;
/** Activity of callers outside their hours. It is higher than in the history, so that every key can be seen at work. */
const ACTIVITY_MIN = 0.1;
const TEXT = "Please compare the two quarterly reports and list what changed for our customers. ";
const MAX_TOKENS = 400;
const CANCEL_AFTER_MS = 900;
const CANCELLED_SHARE = 0.05;

/** Behaviours of the simulator (see tools/simulator/behaviour.ts), with weights. */
const BEHAVIOURS = {
  "ok:delayMs=350,events=14,gapMs=80,padBytes=40": 30,
  "ok:delayMs=700,events=24,gapMs=110,padBytes=30": 20,
  "ok:delayMs=1600,events=36,gapMs=130,padBytes=30": 8,
  "ok:delayMs=150,events=6,gapMs=60,padBytes=40": 20,
  "error:status=429,retryAfter=2": 2,
  "error:status=502": 1,
  "error-midstream:after=9,delayMs=400,gapMs=50,events=20": 1,
};

/**
 * Returns the mean time between two requests. They are frequent at first, so that a newcomer sees them arrive. Later they are
 * about as frequent as in the history. Otherwise the current hour would dwarf the week before it in every chart, and the
 * applications would use up their budgets within hours.
 * @param elapsedMs time since the start of the traffic. @returns ms.
 */
export function chooseIntervalMs(elapsedMs: number): number {
  return elapsedMs < OPENING_MS ? OPENING_INTERVAL_MS : LATER_INTERVAL_MS;
}

/**
 * Requests of the demo's applications for as long as the demo runs. The session id of each request
 * names the behaviour that the simulator must choose for it, because the gateway forwards no header that only the simulator
 * knows.
 */
export class LiveTraffic {
  readonly #random = new SeededRandom(SEED);
  readonly #behaviours = new Map<string, string>();
  readonly #stopping = new AbortController();

  /** Returns the behaviour of a request of this traffic; undefined for any other. Each can be asked for once. */
  readonly takeBehaviour = (sessionId: unknown): string | undefined => {
    if (typeof sessionId !== "string") return undefined;
    const behaviour = this.#behaviours.get(sessionId);
    this.#behaviours.delete(sessionId);
    return behaviour;
  };

  /** Starts to send requests. They do not keep the process alive. @param url of the gateway. */
  start(url: string, callers: DemoKeys["callers"]): void {
    void this.#run(url, callers).catch(() => {});
  }

  /** Sends no more requests and aborts those in flight. */
  stop(): void {
    this.#stopping.abort();
  }

  async #run(url: string, callers: DemoKeys["callers"]): Promise<void> {
    const { signal } = this.#stopping;
    const startedAt = Date.now();
    for (;;) {
      const weights = Object.fromEntries(
        callers.map(({ caller: { rhythm, hourlyRequests } }, at) => [
          at,
          hourlyRequests * Math.max(computeActivity(rhythm, Date.now()), ACTIVITY_MIN),
        ]),
      );
      const waitMs = -Math.log(1 - this.#random.next()) * chooseIntervalMs(Date.now() - startedAt);
      await sleep(waitMs, undefined, { signal, ref: false });
      const sender = callers[Number(this.#random.pickWeighted(weights))];
      if (sender) void this.#send(url, sender).catch(() => {});
    }
  }

  async #send(url: string, { caller, secret }: DemoKeys["callers"][number]): Promise<void> {
    const random = this.#random;
    const stream = random.chance(caller.streamShare);
    const isCancelled = stream && random.chance(CANCELLED_SHARE);
    const sessionId = `demo-${random.digits(12)}`;
    this.#behaviours.set(sessionId, random.pickWeighted(BEHAVIOURS));
    const body = buildBody(caller, { random, stream });
    const base = caller.endpoint === "messages" ? "anthropic/v1" : "openai/v1";
    const signals = [this.#stopping.signal, ...(isCancelled ? [AbortSignal.timeout(CANCEL_AFTER_MS)] : [])];
    const response = await fetch(`${url}/${base}/${caller.endpoint}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${secret}`,
        "content-type": "application/json",
        "x-session-id": sessionId,
      },
      body: JSON.stringify(body),
      signal: AbortSignal.any(signals),
    }).catch((error: unknown) => {
      // The gateway no longer listens: it is shutting down, and waits for the requests in flight.
      if (error instanceof TypeError) this.stop();
      throw error;
    });
    // The parts are read and dropped, so that a long stream takes no memory.
    for await (const _ of response.body ?? []);
    this.#behaviours.delete(sessionId);
  }
}

interface Choice {
  readonly random: SeededRandom;
  readonly stream: boolean;
}

/** Creates the body of a request for the endpoint of a caller. */
function buildBody(caller: Caller, { random, stream }: Choice): object {
  const model = `openrouter/${random.pickWeighted(caller.models)}`;
  const repeats = Math.ceil((random.around(caller.promptTokens, 0.6) * 4) / TEXT.length);
  const text = TEXT.repeat(repeats);
  if (caller.endpoint === "embeddings") return { model, input: text };
  const user =
    caller.endUsers === 0 ? {} : { user: nameEndUser(Math.floor(caller.endUsers * random.next() ** 2)) };
  if (caller.endpoint === "responses") return { model, input: text, stream, max_output_tokens: MAX_TOKENS };
  return { model, messages: [{ role: "user", content: text }], stream, max_tokens: MAX_TOKENS, ...user };
}
