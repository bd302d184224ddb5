import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";
import { type CostBound, type CostComponent, estimateCost } from "../pricing/estimate.ts";
import type { UnboundedCost } from "../pricing/unbounded-costs.ts";
import { formatUsd } from "../money.ts";
import { findCandidates, PRICED_MODELS_MAX, type PriceLists } from "./price-candidates.ts";

/**
 * Whether a chat completion request is a dry run.
 * @param query the parsed query string: `dryRun` is `true`, `false` or absent.
 * @throws GatewayError invalid_value for any other value or spelling: a client that intends a dry run must not be billed.
 */
export function isDryRun(query: unknown): boolean {
  const { dryRun, ...others } = (query ?? {}) as { dryRun?: unknown };
  const misspelt = Object.keys(others).find((name) => /^dry[-_]?run$/i.test(name));
  if (misspelt !== undefined)
    throw new GatewayError("invalid_value", "The query parameter is misspelled; send dryRun=true.", {
      param: "dryRun",
    });
  if (dryRun === undefined || dryRun === "false") return false;
  if (dryRun === "true") return true;
  throw new GatewayError("invalid_value", "dryRun must be true or false.", { param: "dryRun" });
}

/** A request to estimate. */
export interface EstimateRequest {
  /** The valid JSON that would be forwarded. */
  readonly body: Buffer;
  /** The parsed body as the client sent it, with any prefixes and aliases of model ids. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Model ids as they are forwarded. OpenRouter tries the first one first. */
  readonly models: readonly string[];
  readonly headers: IncomingHttpHeaders;
}

/**
 * Estimates the cost of a request at the prices that OpenRouter lists now.
 * @returns the JSON text of the response to a dry run.
 * @throws GatewayError missing_required_parameter if the request names no model, invalid_value if it names more than 16,
 * model_not_found if a model is not listed; the error of the catalog if there is no list.
 */
export async function createCostEstimate(
  { catalog, endpoints }: PriceLists,
  { body, fields, models, headers }: EstimateRequest,
): Promise<string> {
  const names = distinctNames(models);
  const { byId, fetchedAt } = await catalog.list();
  const { candidates, unlisted } = findCandidates(byId, names, fields["speed"]);
  if (unlisted.length > 0)
    throw new GatewayError(
      "model_not_found",
      "The model is not listed, so its cost cannot be estimated; name one of GET /openai/v1/models.",
      { param: "model" },
    );
  const lists = await Promise.all(
    candidates.map(async (candidate, index) => {
      if (candidate.endpoints || index >= PRICED_MODELS_MAX) return { ...candidate, fetchedAt };
      const found = await endpoints.find(candidate.model.id);
      return { ...candidate, endpoints: found?.endpoints, fetchedAt: found?.fetchedAt ?? fetchedAt };
    }),
  );
  const input = {
    // The target of an alias can add costs, for example by `:online`.
    fields: { ...fields, model: names[0], models: names },
    bytes: body,
    mayHitCache: mayHitCache(headers),
    unbounded: unboundedHeaders(headers),
  };
  const estimate = estimateCost(input, lists);
  const { lowestNanodollars, highestNanodollars } = estimate;
  return JSON.stringify({
    object: "chat.completion.cost_estimate",
    estimated: true,
    model: names[0],
    models: names,
    currency: "USD",
    components: estimate.components.map(toComponentJson),
    lowest: { nanodollars: lowestNanodollars, usd: formatUsd(lowestNanodollars) },
    highest:
      highestNanodollars === null
        ? null
        : { nanodollars: highestNanodollars, usd: formatUsd(highestNanodollars) },
    notes: estimate.notes,
    prices_as_of: new Date(
      lists.reduce((oldest, list) => Math.min(oldest, list.fetchedAt), fetchedAt),
    ).toISOString(),
  });
}

/** Returns the models of a request without duplicates. */
function distinctNames(models: readonly string[]): readonly string[] {
  if (models.length === 0)
    throw new GatewayError(
      "missing_required_parameter",
      "The cost of a preset alone cannot be estimated; name a model.",
      { param: "model" },
    );
  const names = [...new Set(models)];
  if (names.length > PRICED_MODELS_MAX)
    throw new GatewayError(
      "invalid_value",
      `models must have at most ${PRICED_MODELS_MAX} models in a dry run.`,
      {
        param: "models",
      },
    );
  return names;
}

/** Whether OpenRouter may respond from its response cache. Any value of the header other than `false` may enable the cache. */
function mayHitCache(headers: IncomingHttpHeaders): boolean {
  return Object.entries(headers).some(
    ([name, value]) => name.startsWith("x-openrouter-cache") && String(value).toLowerCase() !== "false",
  );
}

function unboundedHeaders(headers: IncomingHttpHeaders): UnboundedCost[] {
  if (headers["x-anthropic-beta"] === undefined) return [];
  const note = "A beta feature of Anthropic's can change the price: drop the header x-anthropic-beta.";
  return [{ name: "beta", note }];
}

function toComponentJson({ model, name, lowest, highest }: CostComponent): Record<string, unknown> {
  return { model, name, lowest: toBoundJson(lowest), highest: toBoundJson(highest) };
}

function toBoundJson({ quantity, unitPriceUsd, nanodollars }: CostBound): Record<string, unknown> {
  return { quantity, unit_price_usd: unitPriceUsd, nanodollars };
}
