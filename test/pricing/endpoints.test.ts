import { expect, test } from "vitest";
import { type CostEstimate, estimateCost } from "../../src/pricing/estimate.ts";
import { toRequestBody, estimateWithListedPrices, type ListedModel } from "../support/cost-estimate.ts";

const MESSAGES = [{ role: "user", content: "What is the capital of France?" }];

const MODEL: ListedModel = {
  id: "test/model",
  context_length: 128_000,
  top_provider: { max_completion_tokens: 4096 },
  pricing: { prompt: "0.00000015", completion: "0.0000006" },
};

const estimate = (request: object): CostEstimate =>
  estimateWithListedPrices({ messages: MESSAGES, ...request }, [MODEL]);

function findHighest({ components }: CostEstimate, name: string) {
  return components.find((one) => one.name === name)?.highest;
}

const UNLISTED = { ...toRequestBody({ messages: MESSAGES, max_tokens: 100 }), mayHitCache: false };

test("the highest cost is null if the endpoints are unknown, and a note names the field to set", () => {
  for (const endpoints of [undefined, []]) {
    const { lowestNanodollars, highestNanodollars, notes } = estimateCost(UNLISTED, [
      { model: MODEL, endpoints },
    ]);
    expect([lowestNanodollars, highestNanodollars]).toEqual([0, null]);
    expect(notes.join("\n")).toMatch(/endpoints of test\/model are not known.*provider\.max_price/);
  }
});

test("ten times provider.max_price bounds a request whose endpoints are unknown", () => {
  const estimateWithMaxPrice = (max_price: object, endpoints?: []) => {
    const request = { messages: MESSAGES, max_tokens: 100, provider: { max_price } };
    return estimateCost({ ...toRequestBody(request), mayHitCache: false }, [{ model: MODEL, endpoints }]);
  };
  const bounded = estimateWithMaxPrice({ prompt: "1", completion: 2, request: "0.001" });
  expect(findHighest(bounded, "prompt")?.unitPriceUsd).toBe("0.00001");
  expect(findHighest(bounded, "completion")?.unitPriceUsd).toBe("0.00002");
  expect(findHighest(bounded, "request")?.nanodollars).toBe(1_000_000);
  expect(bounded.highestNanodollars).not.toBeNull();
  expect(estimateWithMaxPrice({ prompt: "1", completion: 2 }).highestNanodollars).toBeNull();
  expect(estimateWithMaxPrice({ prompt: "-1", completion: 2, request: 0 }).highestNanodollars).toBeNull();
});

test.each([["only"], ["order"]])(
  "the highest cost is null if provider.%s names an endpoint that is not listed",
  (field) => {
    const estimateWithSlug = (slug: string) => estimate({ provider: { [field]: [slug] } });
    expect(estimateWithSlug("test/priority").highestNanodollars).toBeNull();
    expect(estimateWithSlug("test/priority").notes.join("\n")).toContain(`provider.${field}`);
    expect(estimateWithSlug("test").highestNanodollars).not.toBeNull();
  },
);

test("the highest cost is null for a service tier without a listed endpoint, even with provider.max_price", () => {
  const provider = { max_price: { prompt: 1, completion: 1, request: 1 } };
  for (const service_tier of ["priority", "fast", "flex", "scale", "of-tomorrow"]) {
    const { highestNanodollars, notes } = estimate({ service_tier, provider });
    expect(highestNanodollars).toBeNull();
    expect(notes.join("\n")).toContain("Drop service_tier");
  }
});
