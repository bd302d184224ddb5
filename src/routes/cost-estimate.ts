import { GatewayError } from "../errors.ts";
import { type Bound, type CostComponent, estimateCost } from "../pricing/estimate.ts";
import type { Model, ModelCatalog } from "../upstream/model-catalog.ts";
import { usdText } from "../usage/money.ts";

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

/**
 * The answer to a dry run: what the request may cost at the prices that OpenRouter lists now.
 * @param body the request, valid JSON. @param models the models it names, without the optional prefix; the first is asked
 * first. @returns JSON text.
 * @throws GatewayError missing_required_parameter when no model is named, model_not_found when one is not listed, and what
 * the catalog throws when there is no list.
 */
export async function answerEstimate(
  catalog: ModelCatalog,
  body: Buffer,
  models: readonly string[],
): Promise<string> {
  const [first] = models;
  if (first === undefined)
    throw new GatewayError(
      "missing_required_parameter",
      "Name a model: the cost of a preset alone cannot be estimated.",
      { param: "model" },
    );
  const { byId, fetchedAt } = await catalog.list();
  const names = [...new Set(models)];
  const listed = names.flatMap((name) => listedAs(byId, name));
  const request = JSON.parse(body.toString()) as Readonly<Record<string, unknown>>;
  const estimate = estimateCost(request, [...new Map(listed.map((model) => [model.id, model])).values()]);
  const { lowestNanodollars, highestNanodollars } = estimate;
  return JSON.stringify({
    object: "chat.completion.cost_estimate",
    estimated: true,
    model: first,
    models: names,
    currency: "USD",
    components: estimate.components.map(componentJson),
    lowest: { nanodollars: lowestNanodollars, usd: usdText(lowestNanodollars) },
    highest:
      highestNanodollars === null
        ? null
        : { nanodollars: highestNanodollars, usd: usdText(highestNanodollars) },
    notes: estimate.notes,
    prices_as_of: new Date(fetchedAt).toISOString(),
  });
}

/** The entries whose prices a name may be charged; a variant that has no entry of its own is served by its model's. */
function listedAs(byId: ReadonlyMap<string, Model>, name: string): Model[] {
  const exact = byId.get(name);
  if (exact) return [exact];
  const [base = "", variant, ...more] = name.split(":");
  const model = more.length === 0 && !variant?.includes("@") ? byId.get(base) : undefined;
  if (!model)
    throw new GatewayError(
      "model_not_found",
      "Only models that GET /openai/v1/models lists can be estimated.",
      { param: "model" },
    );
  // What is called free may cost nothing, listed or not.
  return variant === "free"
    ? [{ ...model, id: name, pricing: { prompt: "0", completion: "0" } }, model]
    : [model];
}

function componentJson({ model, name, lowest, highest }: CostComponent): Record<string, unknown> {
  return { model, name, lowest: boundJson(lowest), highest: boundJson(highest) };
}

function boundJson({ quantity, unitPriceUsd, nanodollars }: Bound): Record<string, unknown> {
  return { quantity, unit_price_usd: unitPriceUsd, nanodollars };
}
