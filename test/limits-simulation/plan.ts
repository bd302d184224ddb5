import { buildModelBody, MODEL_ENDPOINTS, type ModelEndpoint } from "../support/model-bodies.ts";
import { createRandom } from "../support/random.ts";
import { END_USERS, type RequestSize, type SimulatedKey } from "./keys.ts";

/** One request, how the simulator responds, and when the client disconnects. */
export interface PlannedRequest {
  /** Sent as `x-session-id`, which the gateway forwards: the simulator's bills name it. */
  readonly id: string;
  readonly key: SimulatedKey;
  readonly endUser: string | undefined;
  /** Path of the endpoint below the base path. */
  readonly endpoint: string;
  readonly body: string;
  /** The simulator's behaviour. */
  readonly behaviour: string;
  /** Milliseconds after sending at which the client disconnects; undefined: it reads to the end. */
  readonly disconnectsAfterMs: number | undefined;
}

/** Chooses requests. */
export interface PlanOptions {
  readonly seed: number;
  /** The shortest and the longest response, as fractions of the maximum length that the request states. */
  readonly responsePart: readonly [shortest: number, longest: number];
}

interface SizePlan {
  readonly models: readonly string[];
  /** The lowest and the highest number of completion tokens that a request allows. */
  readonly maxTokens: readonly [number, number];
}

/** At these prices, a small request costs at most $0.009: 2 % of $0.45. */
const SIZES: Readonly<Record<RequestSize, SizePlan>> = {
  small: {
    models: ["openai/gpt-4o", "openai/gpt-4o", "anthropic/claude-haiku-4.5"],
    maxTokens: [250, 450],
  },
  large: { models: ["anthropic/claude-opus-5"], maxTokens: [1_000, 3_200] },
};

/** The names of the field with the maximum length of the response. Other endpoints have no such field. */
const LENGTH_FIELDS: Readonly<Record<string, string>> = {
  "chat/completions": "max_tokens",
  completions: "max_tokens",
  responses: "max_output_tokens",
  messages: "max_tokens",
};

/** Without `error-midstream`: the look-up of such a cost of 0 takes half a minute. `npm run sim` has this fault. */
const BROKEN = [
  "cut:after=2",
  "cut:after=1,half=1",
  "reset:after=2",
  "reset:head=0",
  "close",
  "close-delimited:after=2",
  "close-delimited:after=-1",
  "no-done:events=6",
  ...[400, 429, 503].map((status) => `error:status=${status}`),
  "html:status=502",
];
const UNSTATED = ["ok:cost=0", "ok:idHeader=0", "ok:recordMs=1500"];
/** Percentages of the requests. The others are answered within some 300 ms. */
const CANCELLED_PERCENT = 14;
const BROKEN_PERCENT = 14;
const UNSTATED_PERCENT = 6;
const SLOW_PERCENT = 6;
const STREAMED_PERCENT = 60;
/** Percentage of requests to the endpoints that generate no text. */
const OTHER_ENDPOINTS_PERCENT = 8;
const TEXT_ENDPOINTS = MODEL_ENDPOINTS.filter(({ path }) => path in LENGTH_FIELDS);
const OTHER_ENDPOINTS = MODEL_ENDPOINTS.filter(({ path }) => !(path in LENGTH_FIELDS));
/** Content events of each response, and the characters of a response without padding, at most. */
const EVENTS = 6;
const UNPADDED_CHARS = 440;
const CHARS_PER_TOKEN = 4;

type Random = (below: number) => number;

/** Plans a request. Equal options, keys and numbers give equal requests. @param number its number, unique in a run. */
export function planRequest(options: PlanOptions, key: SimulatedKey, number: number): PlannedRequest {
  const random = createRandom(options.seed * 1_000_003 + number);
  const below: Random = (limit) => Math.floor(random() * limit);
  const between = ([from, to]: readonly [number, number]): number => from + random() * (to - from);
  const isText = below(100) >= OTHER_ENDPOINTS_PERCENT;
  const endpoint = pick(below, isText ? TEXT_ENDPOINTS : OTHER_ENDPOINTS);
  const size = SIZES[key.plan.size];
  const maxTokens = Math.floor(between(size.maxTokens));
  const chars = maxTokens * CHARS_PER_TOKEN * between(options.responsePart) - UNPADDED_CHARS;
  const endUser = key.plan.endUserBudgets && pick(below, END_USERS);
  return {
    id: `limits-${number}`,
    key,
    endUser,
    endpoint: endpoint.path,
    body: buildBody(endpoint, below, { model: pick(below, size.models), maxTokens, endUser }),
    ...planResponse(below, Math.max(0, Math.floor(chars / EVENTS))),
  };
}

interface BodyFields {
  readonly model: string;
  readonly maxTokens: number;
  readonly endUser: string | undefined;
}

function buildBody(
  endpoint: ModelEndpoint,
  below: Random,
  { model, maxTokens, endUser }: BodyFields,
): string {
  const field = LENGTH_FIELDS[endpoint.path];
  const user = endpoint.path === "messages" ? { metadata: { user_id: endUser } } : { user: endUser };
  return buildModelBody(endpoint, {
    model: field === undefined ? pick(below, endpoint.models) : model,
    text: below(10) === 0 ? "wörter 你好 ".repeat(1 + below(5)) : "word ".repeat(1 + below(25)),
    ...(field !== undefined && { [field]: maxTokens, stream: below(100) < STREAMED_PERCENT }),
    ...(endUser !== undefined && user),
  });
}

function planResponse(
  below: Random,
  padBytes: number,
): Pick<PlannedRequest, "behaviour" | "disconnectsAfterMs"> {
  const kind = below(100);
  const pace = `gapMs=${below(30)},delayMs=${below(150)}`;
  const plan = (behaviour: string, disconnectsAfterMs?: number) => ({
    behaviour: `${behaviour}${behaviour.includes(":") ? "," : ":"}padBytes=${padBytes}`,
    disconnectsAfterMs,
  });
  let end = CANCELLED_PERCENT;
  // Half of these clients disconnect before the response head, the others during the response.
  if (kind < end / 2) return plan("ok:gapMs=20,delayMs=150", below(150));
  if (kind < end) return plan("ok:gapMs=80", 20 + below(350));
  end += BROKEN_PERCENT;
  if (kind < end) return plan(pick(below, BROKEN));
  end += UNSTATED_PERCENT;
  if (kind < end) return plan(`${pick(below, UNSTATED)},${pace}`);
  end += SLOW_PERCENT;
  if (kind < end) return plan(below(2) === 0 ? "ok:gapMs=500" : "ok:delayMs=4000");
  return plan(`ok:${pace}`);
}

function pick<T>(below: Random, list: readonly T[]): T {
  return list[below(list.length)] as T;
}
