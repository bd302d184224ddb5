// The models of the simulator and their prices. Ids, slugs and prices are those of OpenRouter's own list. Prices are whole
// nanodollars (1e-9 USD) per token, so that sums of money are exact integers.
import { BEHAVIOUR_NAMES } from "./behaviour.ts";

/** A model and its prices in nanodollars per token. */
export interface SimulatedModel {
  readonly id: string;
  /** the dated name, which is the `model` of responses */
  readonly canonicalSlug: string;
  readonly name: string;
  readonly provider: string;
  readonly contextLength: number;
  readonly promptNanodollars: number;
  readonly completionNanodollars: number;
}

type Row = [string, string, string, string, number, number, number];

const ROWS: readonly Row[] = [
  ["openai/gpt-4o-mini", "openai/gpt-4o-mini", "OpenAI: GPT-4o-mini", "OpenAI", 128_000, 150, 600],
  ["openai/gpt-4o", "openai/gpt-4o", "OpenAI: GPT-4o", "OpenAI", 128_000, 2_500, 10_000],
  ["openai/gpt-5-mini", "openai/gpt-5-mini-2025-08-07", "OpenAI: GPT-5 Mini", "OpenAI", 400_000, 250, 2_000],
  ["~openai/gpt-latest", "~openai/gpt-latest", "OpenAI GPT Latest", "OpenAI", 1_050_000, 5_000, 30_000],
  [
    "google/gemini-3-flash-preview",
    "google/gemini-3-flash-preview-20251217",
    "Google: Gemini 3 Flash Preview",
    "Google AI Studio",
    1_048_576,
    500,
    3_000,
  ],
  [
    "anthropic/claude-haiku-4.5",
    "anthropic/claude-4.5-haiku-20251001",
    "Anthropic: Claude Haiku 4.5",
    "Anthropic",
    200_000,
    1_000,
    5_000,
  ],
  [
    "anthropic/claude-sonnet-4.5",
    "anthropic/claude-4.5-sonnet-20250929",
    "Anthropic: Claude Sonnet 4.5",
    "Amazon Bedrock",
    1_000_000,
    3_000,
    15_000,
  ],
  [
    "anthropic/claude-opus-5",
    "anthropic/claude-opus-5",
    "Anthropic: Claude Opus 5",
    "Anthropic",
    1_000_000,
    5_000,
    25_000,
  ],
  [
    "anthropic/claude-opus-5-fast",
    "anthropic/claude-opus-5-fast",
    "Anthropic: Claude Opus 5 (Fast)",
    "Anthropic",
    1_000_000,
    10_000,
    50_000,
  ],
  ["deepseek/deepseek-r1", "deepseek/deepseek-r1", "DeepSeek: R1", "DeepSeek", 64_000, 700, 2_500],
  ["qwen/qwen3-32b", "qwen/qwen3-32b-04-28", "Qwen: Qwen3 32B", "DeepInfra", 131_072, 80, 280],
  [
    "meta-llama/llama-3.3-70b-instruct",
    "meta-llama/llama-3.3-70b-instruct",
    "Meta: Llama 3.3 70B Instruct",
    "Together",
    131_072,
    100,
    320,
  ],
  [
    "meta-llama/llama-3.3-70b-instruct:free",
    "meta-llama/llama-3.3-70b-instruct",
    "Meta: Llama 3.3 70B Instruct (free)",
    "Together",
    131_072,
    0,
    0,
  ],
  ...BEHAVIOUR_NAMES.map((name): Row => [
    `sim/${name}`,
    `sim/${name}`,
    `Simulator: ${name}`,
    "Simulator",
    1_000_000,
    1_000,
    2_000,
  ]),
];

const MODELS = new Map<string, SimulatedModel>(
  ROWS.map(([id, canonicalSlug, name, provider, contextLength, promptNanodollars, completionNanodollars]) => [
    id,
    { id, canonicalSlug, name, provider, contextLength, promptNanodollars, completionNanodollars },
  ]),
);

/** The model that serves, and determines the price of, requests to `openrouter/auto` and to presets without a model. */
const ROUTED = MODELS.get("openai/gpt-4o-mini");
const ROUTER = "openrouter/auto";

const VARIANTS = new Set(["free", "online", "nitro", "floor", "thinking", "extended", "exacto"]);

/**
 * Finds the model that serves a requested model id. Variants and `@preset/…` are valid; `:free` sets the prices to 0.
 * @returns undefined if OpenRouter would respond with "… is not a valid model ID"
 */
export function resolveModel(id: string): SimulatedModel | undefined {
  const listed = MODELS.get(id);
  if (listed !== undefined) return listed;
  const [plain = "", preset] = id.split("@preset/", 2);
  if (plain === "" && preset) return ROUTED;
  if (plain.startsWith("sim/")) return MODELS.get(plain.split(":", 1)[0] ?? "");
  const [base = "", variant] = plain.split(":", 2);
  const known = base === ROUTER ? ROUTED : MODELS.get(base);
  if (known === undefined || (variant !== undefined && !VARIANTS.has(variant))) return undefined;
  return variant === "free" ? { ...known, promptNanodollars: 0, completionNanodollars: 0 } : known;
}

/** Models that do not support reasoning. */
const PLAIN_MODELS = /^openai\/gpt-4o|^meta-llama\//;

/** The parameters that requests to a model may have. */
export function listParameters({ id }: SimulatedModel): readonly string[] {
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

/** Input modalities of a model, as OpenRouter lists them. Clients offer to attach images and files only if they are listed. */
function listModalities({ id }: SimulatedModel): string[] {
  if (id.startsWith("google/")) return ["text", "image", "video", "file", "audio"];
  return /^~?(?:openai|anthropic)\//.test(id) ? ["text", "image", "file"] : ["text"];
}

interface ListEntry extends Readonly<Record<string, unknown>> {
  readonly architecture: Readonly<Record<string, unknown>> & {
    readonly output_modalities: readonly string[];
  };
  readonly supported_parameters: readonly string[];
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
    architecture: {
      modality: `${listModalities(model).join("+")}->text`,
      input_modalities: listModalities(model),
      output_modalities: ["text"],
      tokenizer: "Other",
      instruct_type: null,
    },
    pricing: { prompt, completion },
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
  const entries = [...MODELS.values()].map((model) =>
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

/**
 * The body of `GET /models`, in OpenRouter's format, which has neither `object` nor `owned_by`.
 * @param query the query; only the filters `output_modalities` and `supported_parameters` have an effect.
 */
export function formatModelList(query: URLSearchParams): string {
  const modalities = splitList(query.get("output_modalities") ?? "text");
  const parameters = splitList(query.get("supported_parameters") ?? "");
  const data = LIST.filter(
    ({ architecture, supported_parameters: supported }) =>
      (modalities.includes("all") ||
        architecture.output_modalities.some((name) => modalities.includes(name))) &&
      parameters.every((name) => supported.includes(name)),
  );
  return JSON.stringify({ data, total_count: data.length, links: { next: null } });
}

function splitList(text: string): string[] {
  return text.split(",").filter((name) => name !== "");
}
