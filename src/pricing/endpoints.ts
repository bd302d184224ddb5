import type { CompletionLimits } from "./completion-size.ts";
import { type JsonObject, readFields, readItems } from "../json-values.ts";
import { readCount } from "./json-fields.ts";
import { toWorstCaseSource, mayServe, readMaxPrice } from "./max-price.ts";
import type { PriceSource } from "./prices.ts";

/** A model that may answer a request, and where OpenRouter may route it. */
export interface CandidateModel {
  readonly model: JsonObject & { readonly id: string };
  /** As `GET /models/{author}/{slug}/endpoints` lists them; undefined: not known. */
  readonly endpoints: readonly JsonObject[] | undefined;
  /** Notes on why this model has no bound, whatever the request. */
  readonly unbounded?: readonly { readonly name: string; readonly note: string }[];
}

/** Where a request may be served, as far as it is known. */
export interface Routes {
  readonly sources: readonly PriceSource[];
  /** undefined: not every endpoint is known. */
  readonly limits: readonly CompletionLimits[] | undefined;
  readonly mayReason: boolean;
  /** Sentences for the caller. */
  readonly notes: readonly string[];
}

/**
 * Every endpoint that may serve a request with one model. Fallbacks, load balancing, `:nitro` and most preferences reach
 * each listed endpoint; `provider.only` is merged with settings of the account that are not known here. So only
 * `provider.max_price` takes any out.
 */
export function findRoutes({ model, endpoints = [] }: CandidateModel, request: JsonObject): Routes {
  const maxPrice = readMaxPrice(request);
  const top = readFields(model["top_provider"]);
  const listed = [{ ...model, max_completion_tokens: top["max_completion_tokens"] }, ...endpoints];
  const sources = listed.map((one) => ({ pricing: readFields(one["pricing"]) }));
  const mayReason = model["reasoning"] != null || listed.some(canReason);
  const missing = findMissingRoute(model.id, endpoints, request);
  const open = sources.filter((source) => mayServe(source, maxPrice));
  if (missing === undefined && open.length > 0)
    return { sources: open, limits: listed.map(readCompletionLimits), mayReason, notes: [] };
  const dearest = missing?.isTier ? undefined : toWorstCaseSource(maxPrice);
  const reason = missing?.reason ?? `No listed endpoint of ${model.id} is within provider.max_price.`;
  if (dearest)
    return {
      sources: [...open, dearest],
      limits: undefined,
      mayReason,
      notes: [`${reason} So ten times provider.max_price is the highest price, for long prompts and caches.`],
    };
  const remedy = missing?.isTier
    ? "Drop service_tier to get an upper bound."
    : "Set prompt, completion and request of provider.max_price to get an upper bound.";
  return { sources: [], limits: undefined, mayReason, notes: [`${reason} ${remedy}`] };
}

interface MissingRoute {
  readonly reason: string;
  /** `provider.max_price` is not known to hold for it. */
  readonly isTier: boolean;
}

/** Why a request may be served at a price that is not listed; undefined when it cannot. */
function findMissingRoute(
  id: string,
  endpoints: readonly JsonObject[],
  request: JsonObject,
): MissingRoute | undefined {
  const tags = endpoints.map((endpoint) => String(endpoint["tag"]).toLowerCase());
  const tier = request["service_tier"];
  if (!BASE_TIERS.has(tier) && !tags.some((tag) => SUFFIXES.get(tier)?.includes(tag.split("/").at(-1) ?? "")))
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

/** Service tiers that cost what is listed for the model. */
const BASE_TIERS: ReadonlySet<unknown> = new Set([undefined, null, "auto", "default", "standard"]);
/** How the tags of endpoints end that serve the other tiers. A tier that is not listed is billed at a price nobody knows. */
const SUFFIXES: ReadonlyMap<unknown, readonly string[]> = new Map([
  ["priority", ["priority", "fast"]],
  ["fast", ["priority", "fast"]],
  ["flex", ["flex"]],
]);

/** More would have to be compared with the endpoints of every model. OpenRouter has fewer than 100 providers. */
const SLUGS_MAX = 256;
/** No endpoint has a longer tag. */
const SLUG_MAX_CHARACTERS = 256;

/** A slug with a `/` names one endpoint, which may be of a dearer tier; one without names a provider's listed endpoints. */
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
