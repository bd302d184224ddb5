// The account's own sums per day, key and model, which `GET /activity` returns, and the keys of the account.
import { createHash } from "node:crypto";
import type { Costs, Generation } from "./billing.ts";
import { toUsd } from "./billing.ts";

const DAY_MS = 86_400_000;
/** `GET /activity` has this many completed UTC days. */
const DAYS = 30;

/** The sums of one UTC day, key and model. Money is in nanodollars. */
interface ActivitySums {
  readonly date: string;
  readonly key: string;
  readonly generation: Generation;
  requests: number;
  promptTokens: number;
  completionTokens: number;
  reasoningTokens: number;
  nanodollars: number;
  byokNanodollars: number;
}

/** Returns the hash by which the API names a key. */
export function hashKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** The sums of all billed generations per UTC day, key and model. */
export class Activity {
  readonly #sums = new Map<string, ActivitySums>();
  readonly #now: () => number;

  /** @param now the clock that dates generations, in ms since 1970. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts a billed generation. @param authorization the header of its request. */
  add(generation: Generation, costs: Costs, authorization: string | undefined): void {
    const key = authorization?.replace(/^Bearer +/i, "") ?? "";
    const date = toDate(this.#now());
    const id = `${date} ${generation.model.id} ${key}`;
    const sums = this.#sums.get(id) ?? { date, key, generation, ...NO_SUMS };
    this.#sums.set(id, sums);
    sums.requests += 1;
    sums.promptTokens += generation.promptTokens;
    sums.completionTokens += costs.completionTokens;
    sums.reasoningTokens += costs.reasoningTokens;
    sums.nanodollars += costs.nanodollars;
    if (generation.isByok) sums.byokNanodollars += costs.upstreamNanodollars;
  }

  /** The keys that have been billed. */
  listKeys(): string[] {
    return [...new Set([...this.#sums.values()].map(({ key }) => key))];
  }

  /**
   * Formats the body of `GET /activity`.
   * @param query `date` and `api_key_hash`. @returns undefined if the date is not one of the last 30 completed UTC days.
   */
  format(query: URLSearchParams): string | undefined {
    const today = Math.floor(this.#now() / DAY_MS) * DAY_MS;
    const [oldest, newest] = [toDate(today - DAYS * DAY_MS), toDate(today - DAY_MS)];
    const date = query.get("date");
    const hash = query.get("api_key_hash");
    if (date !== null && !(date >= oldest && date <= newest)) return undefined;
    const sums = [...this.#sums.values()].filter(
      (one) =>
        one.date >= oldest &&
        one.date <= newest &&
        (date === null || one.date === date) &&
        (hash === null || hashKey(one.key) === hash),
    );
    return JSON.stringify({ data: sums.map(formatSums) });
  }
}

const NO_SUMS = {
  requests: 0,
  promptTokens: 0,
  completionTokens: 0,
  reasoningTokens: 0,
  nanodollars: 0,
  byokNanodollars: 0,
};

function toDate(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function formatSums({ date, generation: { model }, ...sums }: ActivitySums): Record<string, unknown> {
  return {
    date,
    model: model.id,
    model_permaslug: model.canonicalSlug,
    endpoint_id: "550e8400-e29b-41d4-a716-446655440000",
    provider_name: model.provider,
    usage: toUsd(sums.nanodollars),
    byok_usage_inference: toUsd(sums.byokNanodollars),
    requests: sums.requests,
    prompt_tokens: sums.promptTokens,
    completion_tokens: sums.completionTokens,
    reasoning_tokens: sums.reasoningTokens,
  };
}

/** Formats a key for `GET /keys` and `GET /keys/{hash}`. */
export function formatAccountKey(key: string): Record<string, unknown> {
  return { hash: hashKey(key), name: "simulated", label: formatLabel(key), disabled: false, limit: null };
}

/** Returns the label by which OpenRouter shows a key. */
export function formatLabel(key: string): string {
  return `${key.slice(0, 12)}...${key.slice(-3)}`;
}
