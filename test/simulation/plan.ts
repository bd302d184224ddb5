import { buildModelBody, MODEL_ENDPOINTS, type ModelEndpoint } from "../support/model-bodies.ts";
import { createRandom } from "../support/random.ts";

/** One request of a simulation, and when its client disconnects. */
export interface PlannedRequest {
  readonly number: number;
  /** Index of the gateway key of the request. */
  readonly key: number;
  /** Path of its endpoint below the base path. */
  readonly endpoint: string;
  readonly body: string;
  /** Milliseconds after sending at which the client disconnects; undefined: it reads to the end. */
  readonly disconnectsAfterMs: number | undefined;
}

/** Names of the gateway keys. */
export const KEY_NAMES = ["a", "b", "c"] as const;

const SLOW = [
  "sim/ok:gapMs=3",
  "sim/ok:delayMs=8",
  "sim/ok:gapMs=1,events=20",
  "sim/ok:gapMs=2,recordMs=1500",
  "sim/ok:gapMs=2,cost=0",
  "sim/ok:gapMs=2,idHeader=0",
];
const BROKEN = [
  "sim/cut:after=2",
  "sim/cut:after=1,half=1",
  "sim/reset:after=2",
  "sim/reset:head=0",
  "sim/close",
  "sim/close-delimited:after=2",
  "sim/close-delimited",
  "sim/no-done",
  "sim/error:status=400",
  "sim/error:status=429",
  "sim/error:status=503",
  "sim/error-midstream",
  "sim/html",
];
/** Percentages of slow and broken models, of clients that disconnect early, and of streams. */
const SLOW_PERCENT = 25;
const BROKEN_PERCENT = 20;
const DISCONNECT_PERCENT = 20;
const STREAMED_PERCENT = 60;
const DISCONNECT_WITHIN_MS = 40;

/** Makes a plan. Equal seeds give equal plans. */
export function makePlan(count: number, seed: number): PlannedRequest[] {
  const random = createRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  return Array.from({ length: count }, (_, number) => {
    const kind = below(100);
    const endpoint = MODEL_ENDPOINTS[below(MODEL_ENDPOINTS.length)] as ModelEndpoint;
    const faults = kind < SLOW_PERCENT + BROKEN_PERCENT ? BROKEN : endpoint.models;
    const models = kind < SLOW_PERCENT ? SLOW : faults;
    const disconnects = below(100) < DISCONNECT_PERCENT;
    return {
      number,
      key: below(KEY_NAMES.length),
      endpoint: endpoint.path,
      body: buildModelBody(endpoint, {
        model: models[below(models.length)],
        stream: below(100) < STREAMED_PERCENT,
        text: "word ".repeat(1 + below(60)),
      }),
      disconnectsAfterMs: disconnects ? below(DISCONNECT_WITHIN_MS) : undefined,
    };
  });
}
