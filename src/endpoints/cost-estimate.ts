import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";
import { selectsFastModel, toFastModelId } from "../request/fast-model.ts";
import type { CandidateModel } from "../pricing/endpoints.ts";
import { type CostBound, type CostComponent, estimateCost } from "../pricing/estimate.ts";
import type { UnboundedCost } from "../pricing/unbounded-costs.ts";
import type { EndpointCatalog } from "../upstream/endpoint-catalog.ts";
import type { Model, ModelCatalog } from "../upstream/model-catalog.ts";
import { formatUsd } from "../metering/money.ts";

/**
 * Whether a chat completion is only to be estimated.
 * @param query the parsed query string: `dryRun` is `true`, `false` or absent.
 * @throws GatewayError invalid_value: what was meant as a dry run must not be billed.
 */
export function isDryRun(query: unknown): boolean {
  const { dryRun, ...others } = (query ?? {}) as { dryRun?: unknown };
  const misspelt = Object.keys(others).find((name) => /^dry[-_]?run$/i.test(name));
  if (misspelt !== undefined)
    throw new GatewayError("invalid_value", "This is written dryRun.", { param: "dryRun" });
  if (dryRun === undefined || dryRun === "false") return false;
  if (dryRun === "true") return true;
  throw new GatewayError("invalid_value", "dryRun must be true or false.", { param: "dryRun" });
}

/** Where prices are found. */
export interface PriceLists {
  readonly catalog: ModelCatalog;
  readonly endpoints: EndpointCatalog;
}

/** A request to estimate. */
export interface EstimateRequest {
  /** Valid JSON, as it would be forwarded. */
  readonly body: Buffer;
  /** What it says, optional prefixes of model ids included. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The models it names, without the optional prefix; the first is asked first. */
  readonly models: readonly string[];
  readonly headers: IncomingHttpHeaders;
}

/** Fetching the endpoints of more models would let one request make too many others. */
const MODELS_MAX = 16;

/**
 * The answer to a dry run: what the request may cost at the prices that OpenRouter lists now.
 * @returns JSON text.
 * @throws GatewayError missing_required_parameter when no model is named, invalid_value when more than 16 are, model_not_found when one is not listed, and what
 * the catalog throws when there is no list.
 */
export async function createCostEstimate(
  { catalog, endpoints }: PriceLists,
  { body, fields, models, headers }: EstimateRequest,
): Promise<string> {
  const names = distinctNames(models);
  const { byId, fetchedAt } = await catalog.list();
  const listed = names.flatMap((name) => addFastModels(byId, findListed(byId, name), fields["speed"]));
  const distinct = mergeById(listed);
  const lists = await Promise.all(
    distinct.map(async (one, index) => {
      if (one.endpoints || index >= MODELS_MAX) return { ...one, fetchedAt };
      const found = await endpoints.find(one.model.id);
      return { ...one, endpoints: found?.endpoints, fetchedAt: found?.fetchedAt ?? fetchedAt };
    }),
  );
  const input = {
    fields,
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
      lists.reduce((oldest, one) => Math.min(oldest, one.fetchedAt), fetchedAt),
    ).toISOString(),
  });
}

/** The models of a request, each once. */
function distinctNames(models: readonly string[]): readonly string[] {
  if (models.length === 0)
    throw new GatewayError(
      "missing_required_parameter",
      "Name a model: the cost of a preset alone cannot be estimated.",
      { param: "model" },
    );
  const names = [...new Set(models)];
  if (names.length > MODELS_MAX)
    throw new GatewayError("invalid_value", `models must have at most ${MODELS_MAX} models in a dry run.`, {
      param: "models",
    });
  return names;
}

/** One candidate for each model: two names may mean the same one, and one of them may have no bound. */
function mergeById(candidates: readonly CandidateModel[]): CandidateModel[] {
  const byId = new Map<string, CandidateModel>();
  for (const candidate of candidates) {
    const known = byId.get(candidate.model.id);
    const unbounded = [...(known?.unbounded ?? []), ...(candidate.unbounded ?? [])];
    byId.set(candidate.model.id, { ...candidate, unbounded });
  }
  return [...byId.values()];
}

/** Variants that choose among the endpoints of their model; `:online` adds a web search, which has no bound of its own. */
const ROUTING_VARIANTS: ReadonlySet<string | undefined> = new Set(["nitro", "floor", "exacto", "online"]);

/** The entries whose prices a name may be charged; a variant that has no entry of its own is served by its model's. */
function findListed(byId: ReadonlyMap<string, Model>, name: string): CandidateModel[] {
  const exact = byId.get(name);
  if (exact) return [{ model: exact, endpoints: undefined }];
  const [base = "", variant, ...more] = name.split(":");
  const model = more.length === 0 && !variant?.includes("@") ? byId.get(base) : undefined;
  if (!model)
    throw new GatewayError(
      "model_not_found",
      "Only models that GET /openai/v1/models lists can be estimated.",
      { param: "model" },
    );
  const candidate = { model, endpoints: undefined };
  if (ROUTING_VARIANTS.has(variant)) return [candidate];
  // What is called free may cost nothing, listed or not.
  if (variant === "free") {
    const pricing = { prompt: "0", completion: "0" };
    const free = { ...model, id: name, pricing };
    return [{ model: free, endpoints: [free] }, candidate];
  }
  const note = `A variant in model or models is not listed, so its price is not known: name ${base} without it.`;
  return [{ ...candidate, unbounded: [{ name: "variant", note }] }];
}

/** `speed` has its model served by another one, whose name ends in `-fast`; either may be billed. */
function addFastModels(
  byId: ReadonlyMap<string, Model>,
  candidates: readonly CandidateModel[],
  speed: unknown,
): readonly CandidateModel[] {
  if (!selectsFastModel(speed)) return candidates;
  return candidates.flatMap((candidate) => {
    const fast = byId.get(toFastModelId(candidate.model.id));
    if (fast) return [candidate, { model: fast, endpoints: undefined }];
    const note = `The price of ${candidate.model.id} at this speed is not listed: drop speed.`;
    return [{ ...candidate, unbounded: [...(candidate.unbounded ?? []), { name: "speed", note }] }];
  });
}

/** Whether OpenRouter is asked to answer from its cache of responses; only `false` says that it is not. */
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
