import type { CompletionLimits } from "./completion-size.ts";
import { type JsonObject, readFields, readItems } from "../json-values.ts";
import { readCount } from "./json-fields.ts";
import { toWorstCaseSource, mayServe, readMaxPrice } from "./max-price.ts";
import type { PriceSource } from "./prices.ts";
import type { UnboundedCost } from "./unbounded-costs.ts";

/** A model that may serve a request, and its endpoints. */
export interface CandidateModel {
  readonly model: JsonObject & { readonly id: string };
  /** The endpoints that `GET /models/{author}/{slug}/endpoints` lists; undefined: not known. */
  readonly endpoints: readonly JsonObject[] | undefined;
  /** Reasons why the cost of this model is unbounded for any request. */
  readonly unbounded?: readonly UnboundedCost[];
}

/** Prices and limits of endpoints. */
interface RoutePrices {
  readonly sources: readonly PriceSource[];
  /** Limits of all endpoints; undefined: not every endpoint is known. */
  readonly limits: readonly CompletionLimits[] | undefined;
}

/** The known endpoints that may serve a request, with their prices and limits. No sources: its highest price is not known. */
export interface Routes extends RoutePrices {
  /** The listed endpoints that may serve the request, even if others may, too. */
  readonly listed: RoutePrices;
  readonly mayReason: boolean;
  /** Sentences for the client. */
  readonly notes: readonly string[];
}

/**
 * Finds every endpoint that may serve a request with one model. Only `provider.max_price` excludes endpoints, except those of
 * the requested service tier. Fallbacks, load balancing, `:nitro` and most preferences can choose any listed endpoint.
 * `provider.only` excludes none, because OpenRouter merges it with account settings that the gateway does not know.
 */
export function findRoutes({ model, endpoints = [] }: CandidateModel, request: JsonObject): Routes {
  const maxPrice = readMaxPrice(request);
  const top = readFields(model["top_provider"]);
  const entries = [{ ...model, max_completion_tokens: top["max_completion_tokens"] }, ...endpoints];
  const mayReason = model["reasoning"] != null || entries.some(canReason);
  const missing = findMissingRoute(model.id, endpoints, request);
  const tier = request["service_tier"];
  const eligible = entries
    .map((one) => ({ pricing: readFields(one["pricing"]), isOfTier: servesTier(one["tag"], tier) }))
    // OpenRouter may not apply provider.max_price to a tier.
    .filter((source) => source.isOfTier || mayServe(source, maxPrice));
  const listed = { sources: eligible, limits: entries.map(readCompletionLimits) };
  if (missing === undefined && eligible.length > 0) return { ...listed, listed, mayReason, notes: [] };
  const worstCase = missing?.isTier ? undefined : toWorstCaseSource(maxPrice);
  const reason = missing?.reason ?? `No listed endpoint of ${model.id} is within provider.max_price.`;
  if (worstCase)
    return {
      sources: [...eligible, worstCase],
      limits: undefined,
      listed,
      mayReason,
      notes: [
        `${reason} The highest prices are therefore ten times provider.max_price, to include long prompts and caches.`,
      ],
    };
  const remedy = missing?.isTier
    ? "Drop service_tier to get an upper bound."
    : "Set prompt, completion and request of provider.max_price to get an upper bound.";
  return { sources: [], limits: undefined, listed, mayReason, notes: [`${reason} ${remedy}`] };
}

interface MissingRoute {
  readonly reason: string;
  /** Whether the price is missing because of a service tier. OpenRouter may not apply `provider.max_price` to a tier. */
  readonly isTier: boolean;
}

/** Finds the reason why OpenRouter may serve a request at a price that is not listed; undefined if there is none. */
function findMissingRoute(
  id: string,
  endpoints: readonly JsonObject[],
  request: JsonObject,
): MissingRoute | undefined {
  const tags = endpoints.map((endpoint) => String(endpoint["tag"]).toLowerCase());
  const tier = request["service_tier"];
  if (!BASE_TIERS.has(tier) && !tags.some((tag) => servesTier(tag, tier)))
    return { reason: `The prices of this service_tier are not listed for ${id}.`, isTier: true };
  if (endpoints.length === 0) return { reason: `The endpoints of ${id} are not known now.`, isTier: false };
  const provider = readFields(request["provider"]);
  for (const field of ["only", "order"]) {
    const slugs = Array.isArray(provider[field]) ? provider[field] : [provider[field]];
    if (slugs.length > SLUGS_MAX)
      return { reason: `provider.${field} names more than ${SLUGS_MAX} endpoints.`, isTier: false };
    if (slugs.some((slug) => isUnlistedSlug(slug, tags)))
      return { reason: `provider.${field} names an endpoint that is not listed for ${id}.`, isTier: false };
  }
  return undefined;
}

/** Service tiers that have the listed prices of the model. */
const BASE_TIERS: ReadonlySet<unknown> = new Set([
  undefined,
  null,
  "auto",
  "default",
  "standard",
  "standard_only",
]);
/**
 * The other service tiers, each with the last tag segments of the endpoints that serve it. The price of a tier without a listed
 * endpoint is unknown.
 */
const SUFFIXES: ReadonlyMap<unknown, readonly string[]> = new Map([
  ["priority", ["priority", "fast"]],
  ["fast", ["priority", "fast"]],
  ["flex", ["flex"]],
]);

/** Whether an endpoint has the prices of a service tier. @param tag undefined for the entry of a model. */
function servesTier(tag: unknown, tier: unknown): boolean {
  const suffixes = SUFFIXES.get(tier);
  return suffixes !== undefined && suffixes.includes(String(tag).toLowerCase().split("/").at(-1) ?? "");
}

/** Maximum number of slugs to compare with the endpoints of every model. OpenRouter has fewer than 100 providers. */
const SLUGS_MAX = 256;
/** Maximum length of a slug. The tags of endpoints are shorter. */
const SLUG_MAX_CHARACTERS = 256;

/**
 * Whether a slug may name an endpoint that is not listed. A slug without `/` names all listed endpoints of a provider. A slug
 * with `/` names one endpoint, which may be of a more expensive tier.
 */
function isUnlistedSlug(named: unknown, tags: readonly string[]): boolean {
  if (named == null) return false;
  if (typeof named !== "string" || named.length > SLUG_MAX_CHARACTERS) return true;
  const slug = named.toLowerCase();
  return slug.includes("/") && !tags.some((tag) => tag === slug || tag.startsWith(`${slug}/`));
}

function readCompletionLimits(listed: JsonObject): CompletionLimits {
  return {
    completionTokens: readCount(listed["max_completion_tokens"]) ?? null,
    contextTokens: readCount(listed["context_length"]) ?? null,
  };
}

function canReason(listed: JsonObject): boolean {
  return readItems(listed["supported_parameters"]).some((name) => /reason/.test(String(name)));
}
