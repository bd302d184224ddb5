import { GatewayError } from "../errors.ts";
import { type FindGeneration, type GenerationRecord, LookupRefused } from "../metering/cost-lookup.ts";
import { toNanodollars } from "../money.ts";
import { parseTokenCount, parseUsdAmount } from "../metering/stated-amounts.ts";
import type { Upstream } from "./openrouter.ts";
import { fetchBuffered } from "./fetch-buffered.ts";
import { isJsonObject, type JsonObject } from "../json-values.ts";
import { toColumnText } from "../bounded-text.ts";

const MAX_BYTES = 1_048_576;
const NOT_THERE_YET = 404;
const DECIMAL = /^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * Creates a function that looks up a generation with `GET /generation`. OpenRouter publishes the record of a generation about
 * 20 s after its request has ended.
 * @param authorization value of `Authorization` for the account that made the generations.
 * @returns a function that returns undefined while there is no record, and throws GatewayError if the lookup fails.
 */
export function createGenerationFinder(upstream: Upstream, authorization: string): FindGeneration {
  return async (id) => {
    const path = `/generation?id=${encodeURIComponent(id)}`;
    const { status, headers, body } = await fetchBuffered(upstream, {
      path,
      authorization,
      maxBytes: MAX_BYTES,
    });
    // A 404 without JSON comes from a proxy or from the edge, not from OpenRouter itself.
    if (status === NOT_THERE_YET && holdsJsonObject(body)) return undefined;
    if (status === 200) return toRecord(parse(body, id));
    throw new LookupRefused(status, headers);
  };
}

function toRecord(data: JsonObject): GenerationRecord {
  const stated = [data["total_cost"], data["usage"]].filter((cost) => cost != null && cost !== "");
  const costs = stated.map((cost) => parseCost(cost) ?? NaN);
  // Both fields state the cost. The first may still be 0 when the second is already set.
  const costNanodollars = costs.some(Number.isNaN)
    ? NaN
    : (costs.find((cost) => cost > 0) ?? costs[0] ?? NaN);
  if (Number.isNaN(costNanodollars)) {
    throw new GatewayError(
      "upstream_bad_response",
      "OpenRouter's record of a generation states no valid cost.",
    );
  }
  const isByok = data["is_byok"];
  return {
    costNanodollars,
    // The native counts are those of the provider. OpenRouter charges for them, and responses state them as their usage.
    tokens: {
      prompt_tokens: parseTokenCount(data["native_tokens_prompt"] ?? data["tokens_prompt"]),
      completion_tokens: parseTokenCount(data["native_tokens_completion"] ?? data["tokens_completion"]),
      cached_tokens: parseTokenCount(data["native_tokens_cached"]),
      reasoning_tokens: parseTokenCount(data["native_tokens_reasoning"]),
    },
    isByok: typeof isByok === "boolean" ? isByok : undefined,
    upstreamInferenceNanodollars: parseCost(data["upstream_inference_cost"]),
    provider: text(data["provider_name"]),
    model: text(data["model"]),
  };
}

/** Converts US dollars, a number or a decimal string, to nanodollars. @returns undefined if the value is not a valid cost. */
function parseCost(value: unknown): number | undefined {
  const usd = parseUsdAmount(typeof value === "string" && DECIMAL.test(value) ? Number(value) : value);
  return usd === undefined ? undefined : toNanodollars(usd);
}

/** @throws GatewayError if the body contains no record, or the record of another generation. */
function parse(body: Buffer, id: string): JsonObject {
  const data = parseData(body);
  if (data?.["id"] === id) return data;
  if (data) {
    throw new GatewayError("upstream_bad_response", "OpenRouter returned the record of another generation.");
  }
  throw new GatewayError("upstream_bad_response", "OpenRouter's record of a generation is not valid.");
}

function holdsJsonObject(body: Buffer): boolean {
  try {
    return typeof JSON.parse(body.toString()) === "object";
  } catch {
    return false;
  }
}

function parseData(body: Buffer): JsonObject | undefined {
  try {
    const { data } = JSON.parse(body.toString()) as { data: unknown };
    return isJsonObject(data) ? data : undefined;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? toColumnText(value) : undefined;
}
