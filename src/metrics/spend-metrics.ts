import type { Registry } from "prom-client";
import { mapTokenCounts, TOKEN_COUNTS, type TokenCount } from "../metering/record.ts";
import { toUsd } from "../money.ts";
import { BoundedLabels, OTHER, SeriesBound } from "./label-bounds.ts";
import { addCounter, type CounterSample } from "./totals.ts";

/** Maximum number of providers, and of pairs of a model and a provider. Those above are counted as provider `other`. */
const PROVIDERS_MAX = 100;
const PROVIDER_MAX_CHARS = 64;
const PAIRS_MAX = 1_000;
/** Maximum number of providers of a model that are found by comparison. */
const COMPARED_MAX = 8;
/** Maximum number of model, provider and key combinations. Those above are counted as key `other`. */
const KEYED_MAX = 5_000;
/** The label if upstream has not stated the provider. */
const UNKNOWN_PROVIDER = "unknown";

const KINDS: readonly (readonly [TokenCount, string])[] = TOKEN_COUNTS.map((name) => [
  name,
  name.replace(/_tokens$/, ""),
]);

/** Tokens and cost of one request. */
export interface Amounts {
  readonly tokens: Readonly<Partial<Record<TokenCount, number | null>>>;
  /** null if the cost is unknown. */
  readonly costNanodollars: number | null;
}

/** Totals of one model, provider and key. */
interface Spend extends Record<TokenCount, number> {
  /** Whole nanodollars, which are exact up to 9 million dollars. A sum of floats would accumulate rounding errors. */
  costNanodollars: number;
}

/** Totals of one model and provider, by key. */
class ProviderSpend {
  readonly label: string;
  readonly byKey = new Map<string, Spend>();

  constructor(label: string) {
    this.label = label;
  }
}

/** Totals of one model, by provider and key. */
export class ModelSpend {
  /** All totals, by the label of the provider. */
  readonly byLabel = new Map<string, ProviderSpend>();
  /** The first of these totals. Few models have more providers. */
  readonly first: ProviderSpend[] = [];

  /**
   * Finds the totals of a provider.
   * @param name a new string in each request: a comparison with a few labels takes less time than its hash.
   */
  find(name: string): ProviderSpend | undefined {
    for (const provider of this.first) if (provider.label === name) return provider;
    return this.first.length < COMPARED_MAX ? undefined : this.byLabel.get(name);
  }
}

/** Tokens and cost by model, provider and key. */
export class SpendMetrics {
  readonly #models = new Map<string, ModelSpend>();
  readonly #providers = new BoundedLabels(PROVIDERS_MAX, PROVIDER_MAX_CHARS);
  readonly #pairs = new SeriesBound(PAIRS_MAX);
  readonly #keyed = new SeriesBound(KEYED_MAX);
  readonly #hasKeyLabel: boolean;

  constructor(registry: Registry, hasKeyLabel: boolean) {
    this.#hasKeyLabel = hasKeyLabel;
    const keyLabel = hasKeyLabel ? ["key"] : [];
    addCounter(
      registry,
      {
        name: "sluice_tokens_total",
        help: "Tokens that OpenRouter has stated, by kind. The kinds cached, cache_write and prompt_audio are part of prompt, and reasoning is part of completion.",
        labelNames: ["model", "provider", "kind", ...keyLabel],
      },
      () => this.#readTokens(),
    );
    addCounter(
      registry,
      {
        name: "sluice_cost_usd_total",
        help: "US dollars that OpenRouter has charged, counted when the cost of a request becomes known.",
        labelNames: ["model", "provider", ...keyLabel],
      },
      () => this.#list(({ costNanodollars }, labels) => [{ labels, value: toUsd(costNanodollars) }]),
    );
  }

  /** Returns the totals of a model. @param label a label of `ModelLabels`, so that the number of models is bounded. */
  findModel(label: string): ModelSpend {
    let spend = this.#models.get(label);
    if (!spend) this.#models.set(label, (spend = new ModelSpend()));
    return spend;
  }

  /** Adds the amounts of one request. @param key the label of its key; empty if keys are not shown. */
  add(
    model: ModelSpend,
    provider: string | undefined,
    key: string,
    { tokens, costNanodollars }: Amounts,
  ): void {
    const name = provider ?? UNKNOWN_PROVIDER;
    const { byKey } = model.find(name) ?? this.#admitProvider(model, name);
    const spend = byKey.get(key) ?? this.#admitKey(byKey, key);
    // A loop over the names would take three times as long.
    spend.prompt_tokens += tokens.prompt_tokens ?? 0;
    spend.completion_tokens += tokens.completion_tokens ?? 0;
    spend.cached_tokens += tokens.cached_tokens ?? 0;
    spend.cache_write_tokens += tokens.cache_write_tokens ?? 0;
    spend.reasoning_tokens += tokens.reasoning_tokens ?? 0;
    spend.prompt_audio_tokens += tokens.prompt_audio_tokens ?? 0;
    spend.costNanodollars += costNanodollars ?? 0;
  }

  #admitProvider({ byLabel, first }: ModelSpend, name: string): ProviderSpend {
    const admitted = name === UNKNOWN_PROVIDER ? name : this.#providers.admit(name);
    const label = byLabel.has(admitted) || this.#pairs.take() ? admitted : OTHER;
    const known = byLabel.get(label);
    if (known) return known;
    const added = new ProviderSpend(label);
    byLabel.set(label, added);
    if (first.length < COMPARED_MAX) first.push(added);
    return added;
  }

  #admitKey(byKey: Map<string, Spend>, key: string): Spend {
    const label = this.#keyed.take() ? key : OTHER;
    const spend = byKey.get(label) ?? { ...mapTokenCounts(() => 0), costNanodollars: 0 };
    byKey.set(label, spend);
    return spend;
  }

  #readTokens(): CounterSample[] {
    return this.#list((spend, labels) =>
      KINDS.filter(([name]) => spend[name] > 0).map(([name, kind]) => ({
        labels: { ...labels, kind },
        value: spend[name],
      })),
    );
  }

  #list(toSamples: (spend: Spend, labels: Record<string, string>) => CounterSample[]): CounterSample[] {
    const samples: CounterSample[] = [];
    for (const [model, { byLabel }] of this.#models)
      for (const [provider, { byKey }] of byLabel)
        for (const [key, spend] of byKey)
          samples.push(...toSamples(spend, { model, provider, ...(this.#hasKeyLabel && { key }) }));
    return samples;
  }
}
