import { GatewayError } from "../errors.ts";
import { nanodollarsOf } from "../usage/money.ts";
import { tokenCount, usdAmount } from "../usage/stated-amounts.ts";
import { readWhole } from "./read-whole.ts";
import type { Upstream } from "./openrouter.ts";

const MAX_BYTES = 1_048_576;
const NOT_THERE_YET = 404;
const TEXT_MAX_CHARS = 128;

/** What OpenRouter has on its books for one generation. */
export interface GenerationRecord {
  readonly costNanodollars: number;
  /** Undefined: it does not say. */
  readonly promptTokens: number | undefined;
  readonly completionTokens: number | undefined;
  readonly cachedTokens: number | undefined;
  readonly reasoningTokens: number | undefined;
  readonly isByok: boolean | undefined;
  /** What the provider charges; only with BYOK it comes on top of the cost. */
  readonly upstreamInferenceNanodollars: number | undefined;
  readonly provider: string | undefined;
  readonly model: string | undefined;
}

/** Asks for the record of a generation by its id. */
export type FindGeneration = (id: string) => Promise<GenerationRecord | undefined>;

/**
 * Makes the way to `GET /generation`. Records appear some 20 s after their request has ended.
 * @param authorization of the account that made the generations.
 * @returns a function that gives undefined while there is no record, and throws GatewayError when upstream says neither.
 */
export function generationFinder(upstream: Upstream, authorization: string): FindGeneration {
  return async (id) => {
    const path = `/generation?id=${encodeURIComponent(id)}`;
    const { status, body } = await readWhole(upstream, { path, authorization, maxBytes: MAX_BYTES });
    if (status === NOT_THERE_YET) return undefined;
    if (status === 200) return toRecord(body);
    throw new GatewayError(
      "upstream_error",
      `OpenRouter answered a question for a bill with status ${status}.`,
    );
  };
}

function toRecord(body: Buffer): GenerationRecord {
  const data = parse(body);
  const costUsd = usdAmount(data["total_cost"]);
  if (costUsd === undefined) {
    throw new GatewayError("upstream_bad_response", "OpenRouter's record of a generation states no cost.");
  }
  const isByok = data["is_byok"];
  const upstreamUsd = usdAmount(data["upstream_inference_cost"]);
  return {
    costNanodollars: nanodollarsOf(costUsd),
    // The provider's own count is what is charged, and what answers state as their usage.
    promptTokens: tokenCount(data["native_tokens_prompt"] ?? data["tokens_prompt"]),
    completionTokens: tokenCount(data["native_tokens_completion"] ?? data["tokens_completion"]),
    cachedTokens: tokenCount(data["native_tokens_cached"]),
    reasoningTokens: tokenCount(data["native_tokens_reasoning"]),
    isByok: typeof isByok === "boolean" ? isByok : undefined,
    upstreamInferenceNanodollars: upstreamUsd === undefined ? undefined : nanodollarsOf(upstreamUsd),
    provider: text(data["provider_name"]),
    model: text(data["model"]),
  };
}

function parse(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const { data } = JSON.parse(body.toString()) as { data: unknown };
    if (typeof data === "object" && data !== null) return data as Record<string, unknown>;
  } catch {
    // Said below, like an answer without data.
  }
  throw new GatewayError(
    "upstream_bad_response",
    "OpenRouter's record of a generation could not be understood.",
  );
}

/** As both databases take it. */
function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== ""
    ? value.slice(0, TEXT_MAX_CHARS).replaceAll("\0", "").toWellFormed()
    : undefined;
}
