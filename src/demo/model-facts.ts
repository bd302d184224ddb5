/** Price and speed of a model. */
export interface ModelFacts {
  /** Nanodollars per token. */
  readonly promptNanodollars: number;
  readonly completionNanodollars: number;
  readonly provider: string;
  /** Median time to the first byte of a response. */
  readonly firstByteMs: number;
  readonly tokensPerSecond: number;
}

type Speed = Pick<ModelFacts, "provider" | "firstByteMs" | "tokensPerSecond">;

/** Providers are those that the simulator uses. Speeds are plausible, not measured. */
const SPEEDS: Readonly<Record<string, Speed>> = {
  "openai/gpt-4o-mini": { provider: "OpenAI", firstByteMs: 420, tokensPerSecond: 95 },
  "openai/gpt-4o": { provider: "OpenAI", firstByteMs: 560, tokensPerSecond: 80 },
  "openai/gpt-5-mini": { provider: "OpenAI", firstByteMs: 900, tokensPerSecond: 110 },
  "google/gemini-3-flash-preview": {
    provider: "Google AI Studio",
    firstByteMs: 380,
    tokensPerSecond: 170,
  },
  "anthropic/claude-haiku-4.5": { provider: "Anthropic", firstByteMs: 610, tokensPerSecond: 120 },
  "anthropic/claude-sonnet-4.5": { provider: "Amazon Bedrock", firstByteMs: 1_150, tokensPerSecond: 65 },
  "anthropic/claude-opus-5": { provider: "Anthropic", firstByteMs: 1_900, tokensPerSecond: 45 },
  "deepseek/deepseek-r1": { provider: "DeepSeek", firstByteMs: 2_300, tokensPerSecond: 38 },
  "qwen/qwen3-32b": { provider: "DeepInfra", firstByteMs: 480, tokensPerSecond: 60 },
  "meta-llama/llama-3.3-70b-instruct": { provider: "Together", firstByteMs: 350, tokensPerSecond: 75 },
  "openai/text-embedding-3-small": { provider: "OpenAI", firstByteMs: 190, tokensPerSecond: 0 },
  "qwen/qwen3-embedding-8b": { provider: "DeepInfra", firstByteMs: 260, tokensPerSecond: 0 },
};

interface ListedModel {
  readonly id: string;
  readonly pricing: { readonly prompt: string; readonly completion: string };
}

/**
 * Reads the prices of the models in `callers.ts` from a simulated OpenRouter, so that the history and the requests of the demo
 * cost the same.
 * @param baseUrl of the simulator. @returns the facts by model id. @throws if the list cannot be read.
 */
export async function readModelFacts(baseUrl: string): Promise<ReadonlyMap<string, ModelFacts>> {
  const response = await fetch(`${baseUrl}/models?output_modalities=all`);
  const { data } = (await response.json()) as { readonly data: readonly ListedModel[] };
  return new Map(
    data.flatMap(({ id, pricing }) => {
      const speed = SPEEDS[id];
      const [promptNanodollars, completionNanodollars] = [pricing.prompt, pricing.completion].map((usd) =>
        Math.round(Number(usd) * 1e9),
      );
      if (!speed || promptNanodollars === undefined || completionNanodollars === undefined) return [];
      return [[id, { ...speed, promptNanodollars, completionNanodollars }] as const];
    }),
  );
}
