// Counts tokens, computes the charge for a response, and stores the records that `GET /generation` returns.
import type { SimulatedModel } from "./models.ts";

/** The kind of a generation, as `GET /generation` states it. */
export type ApiType = "completions" | "embeddings" | "rerank";

/** One response that has begun. {@link Charges} has a charge for it only after it has ended. */
export interface Generation {
  readonly id: string;
  readonly apiType: ApiType;
  readonly model: SimulatedModel;
  /** the model as the request named it */
  readonly requestedModel: string;
  readonly streamed: boolean;
  readonly promptTokens: number;
  /** units that rerankers charge for; 0 for other models */
  readonly searchUnits: number;
  /** number of characters of reasoning, which precede the other completion characters */
  readonly reasoningChars: number;
  readonly finishReason: string;
  readonly nativeFinishReason: string;
  readonly startedAtMs: number;
  /** additional delay until `GET /generation` returns its record */
  readonly recordDelayMs: number;
  /** whether the request uses the account's own key at the provider, so that the provider charges for it */
  readonly isByok: boolean;
  /** false if the usage in the response omits the cost */
  readonly statesCost: boolean;
}

/** The charge for one response. Money is in nanodollars (1e-9 USD). */
export interface Charge {
  readonly generation: Generation;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  /** OpenRouter's charge */
  readonly nanodollars: number;
  /** the provider's charge; part of OpenRouter's unless the request is BYOK */
  readonly upstreamNanodollars: number;
  readonly cancelled: boolean;
  readonly endedAtMs: number;
}

/** Counts tokens by the simulator's rule: four characters (UTF-16 code units) are one token, rounded up. */
export function countTokens(chars: number): number {
  return Math.ceil(chars / 4);
}

/** Converts nanodollars to the float in `usage.cost`, in USD. `Math.round(usd * 1e9)` returns the same nanodollars. */
export function toUsd(nanodollars: number): number {
  return nanodollars / 1e9;
}

/** OpenRouter's fee for a BYOK request, as a fraction of the provider's charge. */
const BYOK_FEE = 0.05;

/** The tokens and the cost of a response. Money is in nanodollars. */
export interface Costs {
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  readonly promptNanodollars: number;
  readonly completionNanodollars: number;
  readonly nanodollars: number;
  readonly upstreamNanodollars: number;
}

/** Computes the cost of a generation after `completionChars` characters of completion, reasoning included. */
export function computeCosts(generation: Generation, completionChars: number): Costs {
  const { model, promptTokens, searchUnits, reasoningChars, isByok } = generation;
  const completionTokens = countTokens(completionChars);
  const promptNanodollars = promptTokens * model.promptNanodollars + searchUnits * model.searchNanodollars;
  const completionNanodollars = completionTokens * model.completionNanodollars;
  const upstreamNanodollars = promptNanodollars + completionNanodollars;
  return {
    completionTokens,
    reasoningTokens: countTokens(Math.min(reasoningChars, completionChars)),
    promptNanodollars,
    completionNanodollars,
    nanodollars: isByok ? Math.round(upstreamNanodollars * BYOK_FEE) : upstreamNanodollars,
    upstreamNanodollars,
  };
}

/** Fields of the `usage` in a response; empty if the generation states no cost. */
export interface StatedCost {
  readonly cost?: number;
  readonly is_byok?: boolean;
}

/** Returns the fields that state OpenRouter's charge in USD. The `usage` of every endpoint has these fields. */
export function stateCost({ statesCost, isByok }: Generation, { nanodollars }: Costs): StatedCost {
  return statesCost ? { cost: toUsd(nanodollars), is_byok: isByok } : {};
}

/**
 * Returns the field `cost_details`, which states the provider's charge in USD.
 * @param names the words for the prompt and for the completion in the endpoint's field names
 */
export function stateCostDetails(
  { statesCost }: Generation,
  { upstreamNanodollars, promptNanodollars, completionNanodollars }: Costs,
  names: readonly [prompt: string, completion: string] = ["prompt", "completions"],
): { readonly cost_details?: Readonly<Record<string, number>> } {
  if (!statesCost) return {};
  return {
    cost_details: {
      upstream_inference_cost: toUsd(upstreamNanodollars),
      [`upstream_inference_${names[0]}_cost`]: toUsd(promptNanodollars),
      [`upstream_inference_${names[1]}_cost`]: toUsd(completionNanodollars),
    },
  };
}

// Limits the memory that a benchmark with millions of requests takes. No test needs more.
const MOST_CHARGES = 50_000;

/** The charges for all generations that have ended, and their sums. */
export class Charges {
  readonly #charges = new Map<string, Charge>();
  readonly #byModel = new Map<string, number>();
  #nanodollars = 0;
  #byokNanodollars = 0;

  /** The sum of OpenRouter's charges, in nanodollars. */
  get nanodollars(): number {
    return this.#nanodollars;
  }

  /** The sum of what providers charged for BYOK requests, in nanodollars. */
  get byokNanodollars(): number {
    return this.#byokNanodollars;
  }

  /** Nanodollars billed for each model, under the name the requests used. */
  sumByModel(): Record<string, number> {
    return Object.fromEntries(this.#byModel);
  }

  /** Bills a generation for its prompt and `completionChars` characters. Must be called once for each generation. */
  bill(generation: Generation, completionChars: number, cancelled: boolean): void {
    const costs = computeCosts(generation, completionChars);
    const { nanodollars } = costs;
    this.#charges.set(generation.id, { ...costs, generation, cancelled, endedAtMs: Date.now() });
    this.#nanodollars += nanodollars;
    const { requestedModel, isByok } = generation;
    if (isByok) this.#byokNanodollars += costs.upstreamNanodollars;
    this.#byModel.set(requestedModel, (this.#byModel.get(requestedModel) ?? 0) + nanodollars);
    if (this.#charges.size > MOST_CHARGES) {
      for (const oldest of this.#charges.keys()) {
        this.#charges.delete(oldest);
        break;
      }
    }
  }

  /** The charge for a generation; undefined while it runs. */
  find(id: string): Charge | undefined {
    return this.#charges.get(id);
  }
}

// Fields of a generation record that the simulator always sends empty.
const UNKNOWN = {
  upstream_id: null,
  request_id: null,
  session_id: null,
  provider_responses: null,
  router: null,
  preset_id: null,
  service_tier: null,
  app_id: null,
  origin: "",
  http_referer: null,
  user_agent: null,
  external_user: null,
  moderation_latency: null,
  web_search_engine: null,
  cache_discount: null,
};

/** The body of `GET /generation` for a generation that has ended, with all fields of OpenRouter's API description. */
export function formatGeneration(charge: Charge): string {
  const { generation, completionTokens, reasoningTokens, nanodollars, upstreamNanodollars } = charge;
  const { cancelled, endedAtMs } = charge;
  const { promptTokens, startedAtMs } = generation;
  return JSON.stringify({
    data: {
      ...UNKNOWN,
      id: generation.id,
      api_type: generation.apiType,
      model: generation.model.canonicalSlug,
      provider_name: generation.model.provider,
      data_region: "global",
      created_at: new Date(startedAtMs).toISOString(),
      streamed: generation.streamed,
      cancelled,
      finish_reason: cancelled ? null : generation.finishReason,
      native_finish_reason: cancelled ? null : generation.nativeFinishReason,
      latency: endedAtMs - startedAtMs,
      generation_time: endedAtMs - startedAtMs,
      tokens_prompt: promptTokens,
      tokens_completion: completionTokens,
      native_tokens_prompt: promptTokens,
      native_tokens_completion: completionTokens,
      native_tokens_reasoning: reasoningTokens,
      native_tokens_cached: 0,
      native_tokens_completion_images: 0,
      num_media_prompt: 0,
      num_media_completion: 0,
      num_input_audio_prompt: 0,
      num_search_results: 0,
      num_fetches: 0,
      is_byok: generation.isByok,
      total_cost: toUsd(nanodollars),
      usage: toUsd(nanodollars),
      upstream_inference_cost: toUsd(upstreamNanodollars),
    },
  });
}
