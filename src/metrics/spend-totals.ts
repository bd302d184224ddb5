import { mapTokenCounts, type TokenCount } from "../metering/record.ts";
import { BoundedLabels, OTHER, SeriesBound } from "./label-bounds.ts";

/** Maximum number of providers. Those above are counted as provider `other`. */
const PROVIDERS_MAX = 100;
const PROVIDER_MAX_CHARS = 64;
/** Maximum number of endpoint, model, key and provider combinations. Those above are counted as provider `other`. */
const SPENDS_MAX = 5_000;
/** The label if upstream has not stated the provider. */
const UNKNOWN_PROVIDER = "unknown";

/** Tokens and cost of one request. */
export interface Amounts {
  readonly tokens: Readonly<Partial<Record<TokenCount, number | null>>>;
  /** null if the cost is unknown. */
  readonly costNanodollars: number | null;
}

/** Tokens and cost of all requests that one provider has served. */
export interface Spend extends Record<TokenCount, number> {
  readonly provider: string;
  /** Whole nanodollars, which are exact up to 9 million dollars. A sum of floats would accumulate rounding errors. */
  costNanodollars: number;
}

/** Bounds the labels of providers in the process. */
export class ProviderBounds {
  readonly #labels = new BoundedLabels(PROVIDERS_MAX, PROVIDER_MAX_CHARS);
  readonly #spends = new SeriesBound(SPENDS_MAX);

  /** Returns the label of a provider that upstream has stated. */
  admit(name: string): string {
    return name === UNKNOWN_PROVIDER ? name : this.#labels.admit(name);
  }

  /** Takes one of the combinations that are left. @returns false if none is left. */
  take(): boolean {
    return this.#spends.take();
  }
}

/** Tokens and cost of one endpoint, model and key, by provider. */
export class SpendTotals {
  readonly spends: Spend[] = [];
  /** The providers of `spends`. Few models have more than ten: comparing a new string takes less time than its hash. */
  readonly #providers: string[] = [];

  /** Adds the amounts of one request. @param provider as upstream has stated it. */
  add(provider: string | undefined, { tokens, costNanodollars }: Amounts, bounds: ProviderBounds): void {
    const name = provider ?? UNKNOWN_PROVIDER;
    const spend = this.#find(name) ?? this.#admit(name, bounds);
    addTokens(spend, tokens);
    spend.costNanodollars += costNanodollars ?? 0;
  }

  #find(provider: string): Spend | undefined {
    const index = this.#providers.indexOf(provider);
    // An index of -1 would make V8 use a slower kind of access from then on.
    return index === -1 ? undefined : this.spends[index];
  }

  #admit(name: string, bounds: ProviderBounds): Spend {
    const admitted = bounds.admit(name);
    const known = this.#find(admitted);
    if (known) return known;
    const label = bounds.take() ? admitted : OTHER;
    return this.#find(label) ?? this.#append(label);
  }

  #append(provider: string): Spend {
    const spend = createSpend(provider);
    this.#providers.push(provider);
    this.spends.push(spend);
    return spend;
  }
}

/** Creates totals without tokens and cost. */
export function createSpend(provider: string): Spend {
  return { provider, ...mapTokenCounts(() => 0), costNanodollars: 0 };
}

/** Adds token counts. A loop over their names would take three times as long. */
export function addTokens(spend: Spend, tokens: Amounts["tokens"]): void {
  spend.prompt_tokens += tokens.prompt_tokens ?? 0;
  spend.completion_tokens += tokens.completion_tokens ?? 0;
  spend.cached_tokens += tokens.cached_tokens ?? 0;
  spend.cache_write_tokens += tokens.cache_write_tokens ?? 0;
  spend.reasoning_tokens += tokens.reasoning_tokens ?? 0;
  spend.prompt_audio_tokens += tokens.prompt_audio_tokens ?? 0;
}
