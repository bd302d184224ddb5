// Lists the models.
import { MODELS, ROUTED, ROUTER, type SimulatedModel } from "./models.ts";
import type { Fields } from "./request.ts";

/** Models that do not support reasoning. */
const PLAIN_MODELS = /^openai\/gpt-4o|^meta-llama\//;

/** The parameters that requests to a model may have. */
export function listParameters({ id, outputs }: SimulatedModel): readonly string[] {
  if (!outputs.includes("text")) return [];
  return PLAIN_MODELS.test(id) ? PARAMETERS.filter((name) => name !== "reasoning") : PARAMETERS;
}

/** Formats nanodollars as OpenRouter's price lists do, as a decimal string of USD: 150 -> "0.00000015". */
export function formatPrice(nanodollars: number): string {
  const text = (nanodollars / 1e9).toFixed(9).replace(/\.?0+$/, "");
  return text === "" ? "0" : text;
}

/** The `max_completion_tokens` of every listed model. */
export const MAX_COMPLETION_TOKENS = 16_384;

const PARAMETERS = [
  "max_tokens",
  "reasoning",
  "response_format",
  "seed",
  "stop",
  "structured_outputs",
  "temperature",
  "tool_choice",
  "tools",
  "top_p",
];

interface Architecture extends Fields {
  readonly input_modalities: readonly string[];
  readonly output_modalities: readonly string[];
}

interface ListEntry extends Fields {
  readonly id: string;
  readonly name: string;
  readonly context_length: number;
  readonly architecture: Architecture;
  readonly pricing: Readonly<Record<string, string>>;
  readonly supported_parameters: readonly string[];
}

/** The modalities of a model, in OpenRouter's format. Clients offer to attach images and files only if they are listed. */
export function buildArchitecture({ inputs, outputs }: SimulatedModel): Architecture {
  return {
    modality: `${inputs.join("+")}->${outputs.join("+")}`,
    input_modalities: inputs,
    output_modalities: outputs,
    tokenizer: "Other",
    instruct_type: null,
  };
}

function listEntry(model: SimulatedModel, prompt: string, completion: string): ListEntry {
  return {
    id: model.id,
    canonical_slug: model.canonicalSlug,
    hugging_face_id: null,
    name: model.name,
    created: 1_760_000_000,
    description: `${model.name}, simulated.`,
    context_length: model.contextLength,
    architecture: buildArchitecture(model),
    pricing: {
      prompt,
      completion,
      ...(model.searchNanodollars > 0 && { request: formatPrice(model.searchNanodollars) }),
    },
    top_provider: {
      context_length: model.contextLength,
      max_completion_tokens: MAX_COMPLETION_TOKENS,
      is_moderated: false,
    },
    per_request_limits: null,
    supported_parameters: listParameters(model),
    supported_voices: null,
    default_parameters: {},
    expiration_date: null,
    links: { details: `/api/v1/models/${model.id}/endpoints` },
  };
}

function listAll(): ListEntry[] {
  const entries = MODELS.map((model) =>
    listEntry(model, formatPrice(model.promptNanodollars), formatPrice(model.completionNanodollars)),
  );
  if (ROUTED === undefined) return entries;
  // OpenRouter lists "-1" as the price of a router, because the model that it will choose is not known.
  const router = {
    ...ROUTED,
    id: ROUTER,
    canonicalSlug: ROUTER,
    name: "Auto Router",
    contextLength: 2_000_000,
  };
  return [...entries, listEntry(router, "-1", "-1")];
}

const LIST = listAll();

type Filter = (entry: ListEntry, value: string) => boolean;

function toPricePerMillion(price: string | undefined): number {
  return Number(price) * 1e6;
}

function hasSome(values: readonly string[], wanted: string): boolean {
  return splitList(wanted).some((name) => values.includes(name));
}

/** The filters of `GET /models` that the simulator has the facts for. */
const FILTERS: Readonly<Record<string, Filter>> = {
  output_modalities: ({ architecture }, value) => hasSome([...architecture.output_modalities, "all"], value),
  input_modalities: ({ architecture }, value) => hasSome(architecture.input_modalities, value),
  supported_parameters: ({ supported_parameters: supported }, value) =>
    splitList(value).every((name) => supported.includes(name)),
  q: ({ id, name }, value) => `${id} ${name}`.toLowerCase().includes(value.toLowerCase()),
  context: ({ context_length: length }, value) => length >= Number(value),
  min_price: ({ pricing }, value) => toPricePerMillion(pricing["prompt"]) >= Number(value),
  max_price: ({ pricing }, value) => toPricePerMillion(pricing["prompt"]) <= Number(value),
  min_output_price: ({ pricing }, value) => toPricePerMillion(pricing["completion"]) >= Number(value),
  max_output_price: ({ pricing }, value) => toPricePerMillion(pricing["completion"]) <= Number(value),
  model_authors: ({ id }, value) => hasSome([id.split("/", 1)[0] ?? ""], value),
};

function getMeanPrice({ pricing }: ListEntry): number {
  return (Number(pricing["prompt"]) + Number(pricing["completion"])) / 2;
}

const ORDERS: Readonly<Record<string, (a: ListEntry, b: ListEntry) => number>> = {
  "pricing-low-to-high": (a, b) => getMeanPrice(a) - getMeanPrice(b),
  "pricing-high-to-low": (a, b) => getMeanPrice(b) - getMeanPrice(a),
  "context-high-to-low": (a, b) => b.context_length - a.context_length,
};

function selectModels(query: URLSearchParams): ListEntry[] {
  const wanted = new Map([["output_modalities", "text"], ...query]);
  const active = Object.entries(FILTERS).filter(([name]) => wanted.has(name));
  const found = LIST.filter((entry) => active.every(([name, test]) => test(entry, wanted.get(name) ?? "")));
  const order = ORDERS[query.get("sort") ?? ""];
  return order ? found.toSorted(order) : found;
}

/**
 * The body of `GET /models`, in OpenRouter's format, which has neither `object` nor `owned_by`.
 * @param query the query; the filters and orders by speed, popularity, age and benchmarks have no effect.
 */
export function formatModelList(query: URLSearchParams): string {
  const data = selectModels(query);
  const offset = Number(query.get("offset") ?? 0);
  const limit = query.has("limit") ? Number(query.get("limit")) : data.length;
  const page = data.slice(offset, offset + limit);
  return JSON.stringify({ data: page, total_count: data.length, links: { next: null } });
}

/** The body of `GET /models/count`. */
export function formatModelCount(query: URLSearchParams): string {
  return JSON.stringify({ data: { count: selectModels(query).length } });
}

/** The body of `GET /model/{author}/{slug}`; undefined when the model is not listed. */
export function formatModel(id: string): string | undefined {
  const data = LIST.find((entry) => entry.id === id);
  return data && JSON.stringify({ data });
}

function splitList(text: string): string[] {
  return text.split(",").filter((name) => name !== "");
}
