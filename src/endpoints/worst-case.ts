import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject } from "../json-values.ts";
import { findUnboundedBetas } from "../pricing/beta-features.ts";
import { type CompiledModel, compileModel } from "../pricing/compiled-prices.ts";
import type { CostRules } from "../pricing/cost-rules.ts";
import type { CandidateModel } from "../pricing/endpoints.ts";
import { findUnboundedCosts, type UnboundedCost } from "../pricing/unbounded-costs.ts";
import { boundPlainWorstCase, boundWorstCase, type WorstCase } from "../pricing/worst-case.ts";
import type { ModelList } from "../upstream/model-catalog.ts";
import { findCandidates, PRICED_MODELS_MAX, type PriceLists } from "./price-candidates.ts";
import type { RelayedEndpoint } from "./relayed-endpoints.ts";

/** A request whose cost is bounded. */
export interface WorstCaseRequest {
  readonly endpoint: Pick<RelayedEndpoint, "cost" | "forwardsAnthropicHeaders">;
  /** The valid JSON that will be forwarded. */
  readonly body: Buffer;
  /** The parsed body, with the model ids as the client wrote them. */
  readonly fields: JsonObject;
  /** All model ids that the request names, as they are forwarded. */
  readonly models: readonly string[];
  readonly headers: IncomingHttpHeaders;
}

/** Maximum time of the look-up of prices. */
const LOOK_UP_MS = 10_000;
/** Time for which compiled prices are used at most. The endpoint catalog refreshes its lists at the same age. */
const COMPILED_MS = 150_000;
/** Maximum number of names with compiled prices: more than OpenRouter has models. */
const COMPILED_MAX = 2_000;

/** Prices of a model name. */
interface CompiledName {
  readonly models: readonly CompiledModel[];
  /** Whether the name itself adds no cost, as `:online` does. */
  readonly isPlain: boolean;
}

/** Models that may serve a request, with all endpoints that are known. */
interface Found {
  readonly candidates: readonly CandidateModel[];
  readonly unbounded: readonly UnboundedCost[];
  /** Time on the clock of the endpoint catalog. */
  readonly validUntil: number;
}

/** Bounds the cost of requests at the prices that OpenRouter lists. */
export class WorstCaseFinder {
  readonly #prices: PriceLists;
  readonly #now: () => number;
  readonly #compiled: Readonly<Record<CostRules["output"], Map<string, CompiledName>>> = {
    text: new Map(),
    embeddings: new Map(),
    rerank: new Map(),
  };

  /** @param now monotonic clock in ms, the same as that of the catalogs. */
  constructor(prices: PriceLists, now: () => number = () => performance.now()) {
    this.#prices = prices;
    this.#now = now;
  }

  /**
   * Bounds the tokens and the cost of a request.
   * @returns the bound; a promise of it if prices have to be fetched. The promise resolves within 10 s, and never rejects: if
   * a price is not available, the cost is unbounded.
   */
  findWorstCase(request: WorstCaseRequest): WorstCase | Promise<WorstCase> {
    const { endpoint, body, fields, models: names } = request;
    const { cost } = endpoint;
    // The prices of most requests depend only on their models.
    const isSelective = (fields["provider"] ?? fields["service_tier"] ?? fields["speed"]) != null;
    const [name] = names;
    const compiled = !isSelective && name !== undefined && names.length === 1 && this.#compile(name, cost);
    const betas = findBetas(request);
    if (compiled && compiled.isPlain && betas.length === 0) {
      const plain = boundPlainWorstCase({ fields, bytes: body }, cost, compiled.models);
      if (plain) return plain;
    }
    if (compiled) return bound(request, compiled.models, betas);
    const distinct = new Set(names);
    if (distinct.size > PRICED_MODELS_MAX) return bound(request, [], [TOO_MANY_MODELS]);
    const found = this.#find([...distinct], cost, fields["speed"]);
    return found ? boundFound(request, found) : this.#fetch([...distinct], request);
  }

  /** Returns the compiled prices of a name; undefined if they have to be fetched, or if the name is not listed. */
  #compile(name: string, { output }: CostRules): CompiledName | undefined {
    const all = this.#compiled[output];
    const known = all.get(name);
    if (known) return known;
    const found = this.#find([name], { output }, undefined);
    if (!found || found.unbounded.length > 0) return undefined;
    const compiled = {
      models: found.candidates.map((candidate) => compileModel(candidate, output)),
      isPlain: findUnboundedCosts({ model: name }).length === 0,
    };
    if (all.size >= COMPILED_MAX) return compiled;
    all.set(name, compiled);
    // A timer takes less time than a look at the clock for each request.
    setTimeout(() => all.delete(name), Math.max(0, found.validUntil - this.#now())).unref();
    return compiled;
  }

  /** Finds the prices of models; undefined if they have to be fetched. */
  #find(names: readonly string[], { output }: Pick<CostRules, "output">, speed: unknown): Found | undefined {
    const list = this.#prices.catalog.peek(output === "text" ? "text" : "all");
    if (!list) return undefined;
    const { candidates, unbounded } = findListed(list, names, speed);
    let validUntil = this.#now() + COMPILED_MS;
    const known: CandidateModel[] = [];
    for (const candidate of candidates) {
      const fetched = candidate.endpoints ? undefined : this.#prices.endpoints.peek(candidate.model.id);
      if (!candidate.endpoints && !fetched) return undefined;
      if (fetched) validUntil = Math.min(validUntil, fetched.refreshAt, fetched.freshUntil);
      known.push({ ...candidate, endpoints: candidate.endpoints ?? fetched?.list?.endpoints });
    }
    return { candidates: known, unbounded, validUntil };
  }

  async #fetch(names: readonly string[], request: WorstCaseRequest): Promise<WorstCase> {
    const { promise: timeout, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => resolve(undefined), LOOK_UP_MS);
    try {
      const found = await Promise.race([this.#load(names, request), timeout]);
      return found ? boundFound(request, found) : bound(request, [], [NO_PRICES]);
    } catch {
      // The catalog has no list, whatever the cause. It retries the fetch after 10 s.
      return bound(request, [], [NO_PRICES]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #load(names: readonly string[], { endpoint, fields }: WorstCaseRequest): Promise<Found> {
    const { catalog, endpoints } = this.#prices;
    const list = await (endpoint.cost.output === "text" ? catalog.list() : catalog.listAll());
    const { candidates, unbounded } = findListed(list, names, fields["speed"]);
    const known = candidates.map(async (candidate) => ({
      ...candidate,
      endpoints: candidate.endpoints ?? (await endpoints.find(candidate.model.id))?.endpoints,
    }));
    return { candidates: await Promise.all(known), unbounded, validUntil: 0 };
  }
}

const TOO_MANY_MODELS: UnboundedCost = {
  name: "models",
  note: `The prices of more than ${PRICED_MODELS_MAX} models are not looked up: name fewer models.`,
  param: "models",
  isAvoidable: true,
};
const NO_PRICES: UnboundedCost = {
  name: "prices",
  note: "OpenRouter's prices are not available now, so the cost has no known bound: try again in 10 seconds.",
  isTemporary: true,
};

/** Finds models by id, or by dated name. */
function findListed({ byId, byDatedName }: ModelList, names: readonly string[], speed: unknown) {
  const ids = names.map((name) => {
    const [base = "", ...variants] = name.split(":");
    const dated = byId.has(name) || byId.has(base) ? undefined : byDatedName.get(base);
    return dated ? [dated.id, ...variants].join(":") : name;
  });
  const { candidates, unlisted } = findCandidates(byId, ids, speed);
  const unbounded = unlisted.map((name) => ({
    name: "model",
    note: `OpenRouter does not list ${name}, so its price is not known: name a listed model.`,
    param: "model",
  }));
  return { candidates, unbounded };
}

function findBetas({ endpoint, headers }: WorstCaseRequest): readonly UnboundedCost[] {
  const betas = findUnboundedBetas("x-anthropic-beta", headers["x-anthropic-beta"]);
  if (betas.length > 0 || !endpoint.forwardsAnthropicHeaders) return betas;
  return findUnboundedBetas("anthropic-beta", headers["anthropic-beta"]);
}

function boundFound(request: WorstCaseRequest, { candidates, unbounded }: Found): WorstCase {
  const { endpoint, fields } = request;
  const models = candidates.map((candidate) => compileModel(candidate, endpoint.cost.output, fields));
  return bound(request, models, [...unbounded, ...findBetas(request)]);
}

/** Bounds any request. The target of an alias can add costs, for example by `:online`, so the forwarded names are used. */
function bound(
  { endpoint, body, fields, models: names }: WorstCaseRequest,
  models: readonly CompiledModel[],
  unbounded: readonly UnboundedCost[],
): WorstCase {
  const forwarded = { ...fields, model: names[0], models: names };
  return boundWorstCase({ fields: forwarded, bytes: body }, endpoint.cost, { models, unbounded });
}
