// The models of the simulator and their prices. Ids, slugs and prices are those of OpenRouter's own list. Prices are whole
// nanodollars (1e-9 USD) per token, so that sums of money are exact integers.
import { BEHAVIOUR_NAMES } from "./behaviour.ts";

/** A model and its prices in nanodollars per token. */
export interface SimulatedModel {
  readonly id: string;
  /** the dated name, which is the `model` of responses */
  readonly canonicalSlug: string;
  /** the provider's own name, which embeddings and reranks carry in their `model` */
  readonly providerSlug: string;
  readonly name: string;
  readonly provider: string;
  readonly contextLength: number;
  readonly promptNanodollars: number;
  readonly completionNanodollars: number;
  /** nanodollars per search unit, which some rerankers charge instead of tokens */
  readonly searchNanodollars: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
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
  [
    "google/gemini-3.1-flash-image",
    "google/gemini-3.1-flash-image-20260528",
    "Google: Nano Banana 2 (Gemini 3.1 Flash Image)",
    "Google AI Studio",
    131_072,
    500,
    3_000,
  ],
  ["openai/gpt-audio", "openai/gpt-audio", "OpenAI: GPT Audio", "OpenAI", 128_000, 2_500, 10_000],
  [
    "mistralai/voxtral-small-24b-2507",
    "mistralai/voxtral-small-24b-2507",
    "Mistral: Voxtral Small 24B 2507",
    "Mistral",
    32_000,
    100,
    300,
  ],
  [
    "openai/text-embedding-3-small",
    "openai/text-embedding-3-small",
    "OpenAI: Text Embedding 3 Small",
    "OpenAI",
    8_192,
    20,
    0,
  ],
  [
    "openai/text-embedding-3-large",
    "openai/text-embedding-3-large",
    "OpenAI: Text Embedding 3 Large",
    "OpenAI",
    8_192,
    130,
    0,
  ],
  [
    "google/gemini-embedding-001",
    "google/gemini-embedding-001",
    "Google: Gemini Embedding 001",
    "Google AI Studio",
    20_000,
    150,
    0,
  ],
  [
    "qwen/qwen3-embedding-8b",
    "qwen/qwen3-embedding-8b",
    "Qwen: Qwen3 Embedding 8B",
    "DeepInfra",
    32_768,
    10,
    0,
  ],
  [
    "voyageai/rerank-2.5",
    "voyageai/rerank-2.5",
    "Voyage AI: Rerank 2.5",
    "VoyageAI by MongoDB",
    32_000,
    50,
    0,
  ],
  [
    "voyageai/rerank-2.5-lite",
    "voyageai/rerank-2.5-lite",
    "Voyage AI: Rerank 2.5 Lite",
    "VoyageAI by MongoDB",
    32_000,
    20,
    0,
  ],
  ["cohere/rerank-v3.5", "cohere/rerank-v3.5", "Cohere: Rerank v3.5", "Cohere", 4_096, 0, 0],
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

const TEXT = ["text"];

/** Modalities that differ from those of the model's author; the first rule that matches an id counts. */
const MODALITIES: readonly (readonly [RegExp, inputs: readonly string[], outputs: readonly string[]])[] = [
  [/embedding/, TEXT, ["embeddings"]],
  [/rerank/, TEXT, ["rerank"]],
  [/-image/, ["image", "text"], ["image", "text"]],
  [/gpt-audio/, ["text", "audio"], ["text", "audio"]],
  [/voxtral/, ["text", "audio", "file"], TEXT],
  [/^google\//, ["text", "image", "file", "audio", "video"], TEXT],
  [/^~?(?:openai|anthropic)\//, ["text", "image", "file"], TEXT],
];

/** Prices of rerankers that charge for searches, in nanodollars per search unit. */
const SEARCH_PRICES: ReadonlyMap<string, number> = new Map([["cohere/rerank-v3.5", 2_000_000]]);

function buildModel([
  id,
  canonicalSlug,
  name,
  provider,
  contextLength,
  prompt,
  completion,
]: Row): SimulatedModel {
  const [, inputs = TEXT, outputs = TEXT] = MODALITIES.find(([pattern]) => pattern.test(id)) ?? [];
  return {
    id,
    canonicalSlug,
    providerSlug: canonicalSlug.slice(canonicalSlug.indexOf("/") + 1),
    name,
    provider,
    contextLength,
    promptNanodollars: prompt,
    completionNanodollars: completion,
    searchNanodollars: SEARCH_PRICES.get(id) ?? 0,
    inputs,
    outputs,
  };
}

/** All models that are listed, except for the router. */
export const MODELS: readonly SimulatedModel[] = ROWS.map(buildModel);

const BY_ID = new Map(MODELS.map((model) => [model.id, model]));

/** The model that serves, and determines the price of, requests to `openrouter/auto` and to presets without a model. */
export const ROUTED = BY_ID.get("openai/gpt-4o-mini");
/** The id of the router. */
export const ROUTER = "openrouter/auto";

const VARIANTS = new Set(["free", "online", "nitro", "floor", "thinking", "extended", "exacto"]);

/**
 * Finds the model that serves a requested model id. Variants and `@preset/…` are valid; `:free` sets the prices to 0.
 * @returns undefined if OpenRouter would respond with "… is not a valid model ID"
 */
export function resolveModel(id: string): SimulatedModel | undefined {
  const listed = BY_ID.get(id);
  if (listed !== undefined) return listed;
  const [plain = "", preset] = id.split("@preset/", 2);
  if (plain === "" && preset) return ROUTED;
  if (plain.startsWith("sim/")) return BY_ID.get(plain.split(":", 1)[0] ?? "");
  const [base = "", variant] = plain.split(":", 2);
  const known = base === ROUTER ? ROUTED : BY_ID.get(base);
  if (known === undefined || (variant !== undefined && !VARIANTS.has(variant))) return undefined;
  return variant === "free" ? { ...known, promptNanodollars: 0, completionNanodollars: 0 } : known;
}
