import { expect, test } from "vitest";
import type { ModelJson } from "../../src/admin/model-json.ts";
import { filterModels, parseOrder, sortModels } from "../../src/dashboard/page/models/model-filter.ts";
import { formatPrice, getMillionPrice, isFree, listPrices } from "../../src/dashboard/page/models/prices.ts";

const createModel = (id: string, fields: Partial<ModelJson> = {}): ModelJson => ({
  id,
  name: id,
  description: null,
  created_at: null,
  context_length: null,
  max_completion_tokens: null,
  input_modalities: ["text"],
  output_modalities: ["text"],
  supported_parameters: [],
  pricing: {},
  ...fields,
});

test.each([
  ["0.00000015", "$0.15"],
  ["0.000000075", "$0.075"],
  ["0.000000125", "$0.125"],
  ["0.0000006", "$0.60"],
  ["0.000015", "$15.00"],
  ["0.00000000375", "$0.00375"],
  ["0", "free"],
  ["-1", "varies"],
])("the price of a million tokens at %s USD each is %s, without errors of floating point", (price, text) => {
  expect(formatPrice(getMillionPrice({ prompt: price }, "prompt"))).toBe(text);
});

test("a price that OpenRouter does not state, or states as something else, is a dash", () => {
  for (const pricing of [{}, { prompt: "" }, { prompt: "cheap" }, { prompt: [] }, { prompt: null }])
    expect(formatPrice(getMillionPrice(pricing, "prompt"))).toBe("–");
});

test("the prices of a model have their units, and prices of 0 are left out except for input and output", () => {
  const pricing = {
    prompt: "0.000003",
    completion: "0",
    image: "0.0048",
    web_search: "0.01",
    request: "0",
    new_kind: "0.5",
  };
  expect(listPrices(pricing).map(({ label, text }) => `${label}: ${text}`)).toEqual([
    "Input: $3.00 per million tokens",
    "Output: free",
    "Each image: $0.0048 per image",
    "Each web search: $0.01 per search",
    "new_kind: $0.50 per unit",
  ]);
});

test("a model is free only if it states prices and all are 0", () => {
  expect(isFree({ prompt: "0", completion: "0" })).toBe(true);
  expect(isFree({ prompt: "0", completion: "0", request: "0.1" })).toBe(false);
  expect(isFree({ prompt: "-1" })).toBe(false);
  expect(isFree({})).toBe(false);
});

test("every filter must match", () => {
  const models = [
    createModel("a/free", { pricing: { prompt: "0" }, context_length: 200_000 }),
    createModel("a/image", { output_modalities: ["image"], pricing: { prompt: "1" } }),
    createModel("b/long", { name: "Vendor: Long", context_length: 1_000_000, pricing: { prompt: "1" } }),
  ];
  const filter = (params: Parameters<typeof filterModels>[1]) =>
    filterModels(models, params).map(({ id }) => id);
  expect(filter({})).toHaveLength(3);
  expect(filter({ search: "LONG vendor" })).toEqual(["b/long"]);
  expect(filter({ price: "free" })).toEqual(["a/free"]);
  expect(filter({ price: "paid", output: "text" })).toEqual(["b/long"]);
  expect(filter({ context: "200000" })).toEqual(["a/free", "b/long"]);
  expect(filter({ input: "audio" })).toEqual([]);
});

test("models without a price, or with a price that varies, are last in both directions", () => {
  const models = [
    createModel("varies", { pricing: { prompt: "-1" } }),
    createModel("dear", { pricing: { prompt: "2" } }),
    createModel("none"),
    createModel("cheap", { pricing: { prompt: "1" } }),
  ];
  const sort = (order: string) => sortModels(models, parseOrder(order)).map(({ id }) => id);
  expect(sort("input_price").slice(0, 2)).toEqual(["cheap", "dear"]);
  expect(sort("-input_price").slice(0, 2)).toEqual(["dear", "cheap"]);
  expect(parseOrder("no-such-column")).toEqual({ column: "created", isDescending: true });
});
