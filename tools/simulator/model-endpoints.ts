// GET /models/{author}/{slug}/endpoints: the providers and service tiers of a model, with their prices.
import { buildArchitecture, formatPrice, MAX_COMPLETION_TOKENS, listParameters } from "./catalog.ts";
import { MODELS, type SimulatedModel, resolveModel } from "./models.ts";
import { type Fields, toFields } from "./request.ts";

/** An endpoint of a model; prices are nanodollars per token. */
interface Endpoint {
  readonly tag: string;
  readonly provider: string;
  readonly promptNanodollars: number;
  readonly completionNanodollars: number;
}

type Row = [string, string, number, number];

/** Further endpoints of models, by model id: service tiers and other providers. The list of models does not show them. */
const OTHERS: ReadonlyMap<string, readonly Row[]> = new Map([
  [
    "openai/gpt-5-mini",
    [
      ["openai/flex", "OpenAI", 125, 1_000],
      ["openai/priority", "OpenAI", 450, 3_600],
    ],
  ],
  [
    "qwen/qwen3-32b",
    [
      ["groq", "Groq", 290, 590],
      ["cerebras", "Cerebras", 400, 800],
    ],
  ],
]);

function makeTag(provider: string): string {
  return provider.toLowerCase().replaceAll(" ", "-");
}

function listEndpoints(model: SimulatedModel): readonly [Endpoint, ...Endpoint[]] {
  const { provider, promptNanodollars, completionNanodollars } = model;
  const tag = makeTag(provider);
  const others = (OTHERS.get(model.id) ?? []).map(([otherTag, otherProvider, prompt, completion]) => ({
    tag: otherTag,
    provider: otherProvider,
    promptNanodollars: prompt,
    completionNanodollars: completion,
  }));
  return [{ tag, provider, promptNanodollars, completionNanodollars }, ...others];
}

const TIERS: ReadonlyMap<unknown, string> = new Map([
  ["flex", "flex"],
  ["priority", "priority"],
  ["fast", "priority"],
]);

/**
 * Returns the model that serves a request, with the prices that are billed. `speed` selects another model. `provider.only`,
 * `provider.order`, `service_tier` and `:nitro` select an endpoint; for `:nitro` this is the most expensive one.
 */
export function routeModel(model: SimulatedModel, request: Fields): SimulatedModel {
  const { speed, service_tier: tier } = request;
  const fast = speed === "fast" ? resolveModel(`${model.id}-fast`) : undefined;
  if (fast) return fast;
  const endpoints = listEndpoints(model);
  const provider = toFields(request["provider"]);
  const slug = [provider["only"], provider["order"]].flat().find((one) => typeof one === "string");
  const suffix = TIERS.get(tier);
  const chosen =
    endpoints.find((endpoint) => endpoint.tag === slug) ??
    endpoints.find((endpoint) => suffix !== undefined && endpoint.tag.endsWith(`/${suffix}`)) ??
    (String(request["model"]).endsWith(":nitro") ? findMostExpensive(endpoints) : endpoints[0]);
  const { promptNanodollars, completionNanodollars } = chosen;
  return { ...model, provider: chosen.provider, promptNanodollars, completionNanodollars };
}

function findMostExpensive(endpoints: readonly [Endpoint, ...Endpoint[]]): Endpoint {
  return endpoints.reduce((a, b) => (b.completionNanodollars > a.completionNanodollars ? b : a));
}

/** The response body for a model, in OpenRouter's format; undefined if the model is not listed. */
export function formatEndpoints(id: string): string | undefined {
  const model = resolveModel(id);
  if (model?.id !== id) return undefined;
  return JSON.stringify({
    data: {
      id,
      name: model.name,
      created: 1_760_000_000,
      description: `${model.name}, simulated.`,
      architecture: buildArchitecture(model),
      endpoints: listEndpoints(model).map((endpoint) => buildEndpointEntry(model, endpoint)),
    },
  });
}

function buildEndpointEntry(model: SimulatedModel, endpoint: Endpoint): Record<string, unknown> {
  return {
    name: `${endpoint.provider} | ${model.canonicalSlug}`,
    model_id: model.canonicalSlug,
    model_name: model.name,
    context_length: model.contextLength,
    pricing: {
      prompt: formatPrice(endpoint.promptNanodollars),
      completion: formatPrice(endpoint.completionNanodollars),
      discount: 0,
    },
    provider_name: endpoint.provider,
    tag: endpoint.tag,
    quantization: null,
    max_completion_tokens: MAX_COMPLETION_TOKENS,
    max_prompt_tokens: null,
    supported_parameters: listParameters(model),
    status: 0,
    uptime_last_5m: 100,
    uptime_last_30m: 100,
    uptime_last_1d: 100,
    supports_implicit_caching: false,
    supports_voice_cloning: false,
    latency_last_30m: null,
    throughput_last_30m: null,
  };
}

/** The body of `GET /endpoints/zdr`: the endpoints that retain no data, which are all here but those of OpenAI. */
export function formatZeroRetention(): string {
  const data = MODELS.flatMap((model) =>
    listEndpoints(model)
      .filter(({ provider }) => provider !== "OpenAI")
      .map((endpoint) => buildEndpointEntry(model, endpoint)),
  );
  return JSON.stringify({ data });
}

/** The body of `GET /providers`. */
export function formatProviders(): string {
  const names = new Set(MODELS.flatMap((model) => listEndpoints(model).map(({ provider }) => provider)));
  const data = [...names].map((name) => {
    const slug = makeTag(name);
    return {
      name,
      slug,
      privacy_policy_url: `https://${slug}.example/privacy`,
      terms_of_service_url: `https://${slug}.example/terms`,
      status_page_url: null,
      headquarters: "US",
      datacenters: ["US"],
    };
  });
  return JSON.stringify({ data });
}
