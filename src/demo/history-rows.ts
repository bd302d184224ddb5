import { DAY_MS, HOUR_MS } from "../durations.ts";
import type { ManagedKey } from "../keys/managed-key.ts";
import {
  EMPTY_ROW,
  INTERRUPTED,
  type RequestRow,
  STATE,
  toRowIdPrefix,
  UNKNOWN_COST,
} from "../metering/record.ts";
import { type Caller, computeActivity, nameEndUser } from "./callers.ts";
import type { ModelFacts } from "./model-facts.ts";
import type { SeededRandom } from "./seeded-random.ts";

export const HISTORY_DAYS = 7;
/** Time between the last request of the history and the start of the demo. */
const GAP_MS = 20_000;
/** The instance that all requests of the history name. */
const INSTANCE = "demohistory00001";
const DISABLED_DAYS_AGO = 2;

/** A time in which many requests to the models of an author failed. Times are ms before the start of the demo. */
interface Incident {
  readonly author: string;
  readonly from: number;
  readonly to: number;
  readonly statuses: readonly number[];
  readonly failedShare: number;
  /** The responses that did not fail took this many times as long. */
  readonly slowdown: number;
}

const INCIDENTS: readonly Incident[] = [
  {
    author: "anthropic",
    from: 2.4 * DAY_MS,
    to: 2.4 * DAY_MS - 3 * HOUR_MS,
    statuses: [502, 503, 503, 529],
    failedShare: 0.45,
    slowdown: 4,
  },
  {
    author: "google",
    from: 5 * HOUR_MS,
    to: 3.5 * HOUR_MS,
    statuses: [429],
    failedShare: 0.3,
    slowdown: 1.5,
  },
];

const FAILED_SHARE = 0.008;
const CANCELLED_SHARE = 0.02;
const UNKNOWN_SHARE = 0.0012;
/** Share of the rejected requests that OpenRouter did not accept because of their content. */
const STATUSES = { "400": 3, "429": 5, "502": 3, "503": 1 };

/** A caller and its stored key. */
export interface KeyedCaller {
  readonly caller: Caller;
  readonly key: ManagedKey;
}

/** Keys, models and randomness from which a history is generated. */
export interface HistorySource {
  readonly callers: readonly KeyedCaller[];
  readonly models: ReadonlyMap<string, ModelFacts>;
  readonly random: SeededRandom;
  /** End of the history, in ms since 1970. */
  readonly now: number;
}

/**
 * Generates the ledger rows of a week of requests, sorted by time. Callers are active by day or by night, and less on weekends.
 * In two incidents, many requests failed. A few costs are unknown.
 */
export function generateHistory(source: HistorySource): RequestRow[] {
  const { callers, random, now } = source;
  const rows: RequestRow[] = [];
  const end = now - GAP_MS;
  for (const keyed of callers) {
    const { rhythm, hourlyRequests, isDisabled = false } = keyed.caller;
    const last = isDisabled ? now - DISABLED_DAYS_AGO * DAY_MS : end;
    // Candidates arrive at the rate of the busiest hour. The share that the activity of the time allows is kept.
    for (let at = now - HISTORY_DAYS * DAY_MS; ;) {
      at += -Math.log(1 - random.next()) * (HOUR_MS / hourlyRequests);
      if (at > last) break;
      if (random.chance(computeActivity(rhythm, at))) rows.push(createRow(source, keyed, Math.floor(at)));
    }
  }
  return rows.filter(({ ended_at }) => (ended_at ?? 0) < end).toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function createRow(source: HistorySource, { caller, key }: KeyedCaller, startedAt: number): RequestRow {
  const { random, models, now } = source;
  const model = random.pickWeighted(caller.models);
  const facts = models.get(model);
  if (!facts) throw new Error(`the simulator does not list ${model}`);
  const incident = INCIDENTS.find(
    ({ author, from, to }) =>
      model.startsWith(`${author}/`) && startedAt >= now - from && startedAt < now - to,
  );
  const id = `${toRowIdPrefix(startedAt)}${random.digits(10)}`;
  const stream = random.chance(caller.streamShare);
  const row = {
    ...EMPTY_ROW,
    id,
    request_id: `req_${random.digits(24)}`,
    instance: INSTANCE,
    key_id: key.id,
    key_name: key.name,
    group_id: key.group?.id ?? null,
    end_user: caller.endUsers === 0 ? null : nameEndUser(Math.floor(caller.endUsers * random.next() ** 2)),
    endpoint: caller.endpoint,
    requested_model: `openrouter/${model}`,
    forwarded_model: model,
    stream: Number(stream),
    started_at: startedAt,
  };
  const promptTokens = Math.round(random.around(caller.promptTokens, 0.6));
  const bytesIn = promptTokens * 4 + 160;
  if (random.chance(incident?.failedShare ?? FAILED_SHARE)) {
    const status = incident ? random.pick(incident.statuses) : Number(random.pickWeighted(STATUSES));
    return { ...row, bytes_in: bytesIn, ...fail(random, startedAt, status) };
  }
  const completionTokens = Math.round(random.around(caller.completionTokens, 0.7));
  const slowdown = incident?.slowdown ?? 1;
  const firstByteMs = Math.round(random.around(facts.firstByteMs * slowdown, 0.45));
  const generateMs = facts.tokensPerSecond === 0 ? 40 : (completionTokens / facts.tokensPerSecond) * 1_000;
  const totalMs = firstByteMs + Math.round(random.around(generateMs * slowdown, 0.2));
  const served = {
    ...row,
    generation_id: `gen-${Math.floor(startedAt / 1_000)}-${random.digits(20)}`,
    response_model: model,
    provider: facts.provider,
    status: 200,
    bytes_in: bytesIn,
    first_byte_ms: firstByteMs,
    total_ms: totalMs,
    ended_at: startedAt + totalMs,
  };
  if (random.chance(UNKNOWN_SHARE)) return { ...served, ...UNKNOWN_COST, outcome: INTERRUPTED };
  return settle(random, served, { facts, promptTokens, completionTokens });
}

/** Returns the columns of a request that OpenRouter refused or that failed at the provider. Such a request costs nothing. */
function fail(random: SeededRandom, startedAt: number, status: number): Partial<RequestRow> {
  const totalMs = Math.round(random.around(status < 500 ? 120 : 2_400, 0.5));
  return {
    status,
    outcome: "upstream_error",
    state: STATE.settled,
    cost_nanodollars: 0,
    cost_source: "none",
    first_byte_ms: totalMs,
    total_ms: totalMs,
    bytes_out: 310,
    ended_at: startedAt + totalMs,
  };
}

interface Generated {
  readonly facts: ModelFacts;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** Adds the usage and the cost to the row of a served request, of which a few were cancelled by the client. */
function settle(random: SeededRandom, row: RequestRow, generated: Generated): RequestRow {
  const { facts, promptTokens } = generated;
  const isCancelled = row.stream === 1 && random.chance(CANCELLED_SHARE);
  const share = isCancelled ? random.next() : 1;
  const completionTokens = Math.round(generated.completionTokens * share);
  const costNanodollars =
    promptTokens * facts.promptNanodollars + completionTokens * facts.completionNanodollars;
  const firstByteMs = row.first_byte_ms ?? 0;
  const totalMs = firstByteMs + Math.round(((row.total_ms ?? 0) - firstByteMs) * share);
  return {
    ...row,
    state: STATE.settled,
    outcome: isCancelled ? "client_gone" : "complete",
    // OpenRouter's record states the cost of a response that was not read to its end.
    cost_source: isCancelled ? "generation" : row.stream === 1 ? "stream" : "body",
    settle_attempts: Number(isCancelled),
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    cached_tokens: random.chance(0.3) ? Math.floor(promptTokens * 0.6) : 0,
    reasoning_tokens: 0,
    cost_nanodollars: costNanodollars,
    is_byok: 0,
    upstream_inference_nanodollars: costNanodollars,
    total_ms: totalMs,
    bytes_out: 420 + completionTokens * (row.stream === 1 ? 210 : 5),
    ended_at: row.started_at + totalMs,
  };
}
