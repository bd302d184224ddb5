/** The unit that a price of OpenRouter is for. */
interface PriceKind {
  readonly label: string;
  /** The price is shown for this number of units, because the price of one token is tiny. */
  readonly units: number;
  readonly per: string;
}

const perMillion = (label: string): PriceKind => ({ label, units: 1_000_000, per: "million tokens" });

/** The fields of OpenRouter's `pricing`. */
const KINDS: Readonly<Record<string, PriceKind>> = {
  prompt: perMillion("Input"),
  completion: perMillion("Output"),
  internal_reasoning: perMillion("Reasoning"),
  input_cache_read: perMillion("Input read from the cache"),
  input_cache_write: perMillion("Input written to the cache"),
  input_cache_write_1h: perMillion("Input written to the cache for an hour"),
  audio: perMillion("Audio input"),
  audio_output: perMillion("Audio output"),
  input_audio_cache: perMillion("Audio input read from the cache"),
  image_token: perMillion("Image input"),
  image_output: perMillion("Image output"),
  request: { label: "Each request", units: 1, per: "request" },
  image: { label: "Each image", units: 1, per: "image" },
  web_search: { label: "Each web search", units: 1, per: "search" },
};

/** A price to show. */
export interface Price {
  readonly id: string;
  readonly label: string;
  /** Such as `$0.15 per million tokens`. */
  readonly text: string;
}

const MEANINGFUL_DIGITS = 6;

/** Reads a price. @returns US dollars per unit; -1 if it varies; undefined if the value is not a price. */
function parsePrice(value: unknown): number | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const price = Number(value);
  return value === "" || Number.isNaN(price) ? undefined : price;
}

/**
 * Returns the price of a million tokens in US dollars.
 * @param field of `pricing`, such as `prompt`. @returns undefined if OpenRouter states none; -1 if it varies.
 */
export function getMillionPrice(
  pricing: Readonly<Record<string, unknown>>,
  field: string,
): number | undefined {
  const price = parsePrice(pricing[field]);
  // The product has errors of floating point, such as 0.15000000000000002.
  return price === undefined || price < 0
    ? price
    : Number((price * 1_000_000).toPrecision(MEANINGFUL_DIGITS));
}

/** Formats a price in US dollars, such as `$0.15`, `$0.0375` or `free`. */
export function formatPrice(usd: number | undefined): string {
  if (usd === undefined) return "–";
  if (usd < 0) return "varies";
  if (usd === 0) return "free";
  const digits = Number(usd.toPrecision(MEANINGFUL_DIGITS));
  return new Intl.NumberFormat("en-US", {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: 2,
    maximumFractionDigits: 12,
  }).format(digits);
}

/** Whether a model costs nothing: it states prices, and all of them are 0. */
export function isFree(pricing: Readonly<Record<string, unknown>>): boolean {
  const prices = Object.values(pricing)
    .map(parsePrice)
    .filter((price) => price !== undefined);
  return prices.length > 0 && prices.every((price) => price === 0);
}

/** Lists the prices of a model that are not 0, and always those of input and output; unknown fields keep OpenRouter's name. */
export function listPrices(pricing: Readonly<Record<string, unknown>>): readonly Price[] {
  return Object.entries(pricing).flatMap(([id, value]) => {
    const price = parsePrice(value);
    const isAlwaysShown = id === "prompt" || id === "completion";
    if (price === undefined || (price === 0 && !isAlwaysShown)) return [];
    const kind = KINDS[id] ?? { label: id, units: 1, per: "unit" };
    const text = formatPrice(price < 0 ? price : price * kind.units);
    return [{ id, label: kind.label, text: price > 0 ? `${text} per ${kind.per}` : text }];
  });
}
