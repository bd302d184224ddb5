import type { Registry } from "prom-client";
import { TOKEN_COUNTS, type TokenCount } from "../metering/record.ts";
import { toUsd } from "../money.ts";
import type { EndpointTotals } from "./endpoint-totals.ts";
import { addTokens, createSpend, type Spend } from "./spend-totals.ts";
import { addCounter, type CounterSample } from "./totals.ts";

const KINDS: readonly (readonly [TokenCount, string])[] = TOKEN_COUNTS.map((name) => [
  name,
  name.replace(/_tokens$/, ""),
]);

/** Tokens and cost with their labels. */
interface LabelledSpend {
  readonly labels: Readonly<Record<string, string>>;
  readonly spend: Spend;
}

/** Adds the metrics of tokens and cost to the registry. @param hasKeyLabel whether they are counted by key. */
export function registerSpend(
  registry: Registry,
  hasKeyLabel: boolean,
  endpoints: readonly EndpointTotals[],
): void {
  const labelNames = ["model", "provider", ...(hasKeyLabel ? ["key"] : [])];
  addCounter(
    registry,
    {
      name: "sluice_tokens_total",
      help: "Tokens that OpenRouter has stated, by kind. The kinds cached, cache_write and prompt_audio are part of prompt, and reasoning is part of completion.",
      labelNames: [...labelNames, "kind"],
    },
    () => sumOverEndpoints(endpoints, hasKeyLabel).flatMap(listTokens),
  );
  addCounter(
    registry,
    {
      name: "sluice_cost_usd_total",
      help: "US dollars that OpenRouter has charged, counted when the cost of a request becomes known.",
      labelNames,
    },
    () =>
      sumOverEndpoints(endpoints, hasKeyLabel).map(({ labels, spend }) => ({
        labels,
        value: toUsd(spend.costNanodollars),
      })),
  );
}

/** Adds the totals of all endpoints, because the metrics of tokens and cost have no label for the endpoint. */
function sumOverEndpoints(endpoints: readonly EndpointTotals[], hasKeyLabel: boolean): LabelledSpend[] {
  const sums = new Map<string, LabelledSpend>();
  for (const { pairs } of endpoints)
    for (const { model, keys } of pairs.values())
      for (const { key, spends } of keys)
        for (const spend of spends) {
          const { provider } = spend;
          const id = JSON.stringify([model, provider, key]);
          const sum = sums.get(id) ?? {
            labels: { model, provider, ...(hasKeyLabel && { key }) },
            spend: createSpend(provider),
          };
          sums.set(id, sum);
          addTokens(sum.spend, spend);
          sum.spend.costNanodollars += spend.costNanodollars;
        }
  return [...sums.values()];
}

function listTokens({ labels, spend }: LabelledSpend): CounterSample[] {
  return KINDS.filter(([name]) => spend[name] > 0).map(([name, kind]) => ({
    labels: { ...labels, kind },
    value: spend[name],
  }));
}
