import { expect, test } from "vitest";
import { type CostEstimate, estimateCost } from "../../src/pricing/estimate.ts";
import { toRequestBody, estimateWithListedPrices } from "../support/cost-estimate.ts";
import type { Model } from "../../src/upstream/model-catalog.ts";

const TEXT = "What is the capital of France?";
const MESSAGES = [{ role: "user", content: TEXT }];
/** Tokens that a chat template may add to a request with one message. */
const OVERHEAD = 1024 + 16;

function model(pricing: object = {}, fields: object = {}): Model {
  return {
    id: "test/model",
    context_length: 128_000,
    top_provider: { max_completion_tokens: 4096 },
    pricing: { prompt: "0.00000015", completion: "0.0000006", ...pricing },
    ...fields,
  };
}

function estimate(request: object, ...models: Model[]): CostEstimate {
  return estimateWithListedPrices({ messages: MESSAGES, ...request }, models.length > 0 ? models : [model()]);
}

function component(of: CostEstimate, name: string) {
  const found = of.components.find((one) => one.name === name);
  if (!found) throw new Error(`no component ${name}`);
  return found;
}

/** Returns the maximum number of tokens of a request in ASCII without tools. */
function mostTokens(request: object): number {
  return JSON.stringify({ messages: MESSAGES, ...request }).length + OVERHEAD;
}

test("a prompt has at least one token for 128 letters and at most one token for each byte of the request, at the listed price", () => {
  const messages = [{ role: "user", content: "ab".repeat(640) }];
  const { lowest, highest } = component(estimate({ messages }), "prompt");
  expect(lowest).toEqual({ quantity: 10, unitPriceUsd: "0.00000015", nanodollars: 1_500 });
  const quantity = mostTokens({ messages });
  expect(highest).toEqual({ quantity, unitPriceUsd: "0.00000015", nanodollars: quantity * 150 });
});

test("the minimum of the prompt is 0 if the prompt and the completion might exceed the context of the model", () => {
  const messages = [{ role: "user", content: "All of it fits. ".repeat(1_000) }];
  const minTokens = (context_length: number | null, request = {}) =>
    component(estimate({ messages, ...request }, model({}, { context_length })), "prompt").lowest.quantity;
  expect([minTokens(77), minTokens(78), minTokens(null)]).toEqual([0, 78, 78]);
  expect(minTokens(1_000, { max_tokens: 923 })).toBe(0);
  expect(minTokens(128_000, { transforms: ["middle-out"] })).toBe(0);
});

test.each([
  ["Grüße, 世界 🎉", 6],
  ["\ufdfa", 11],
])(
  "a request with the text %s, as a string or as a part, has at most %d tokens for each byte",
  (text, factor) => {
    for (const content of [text, [{ type: "text", text }]]) {
      const messages = [{ role: "user", content }];
      const { highest } = component(estimate({ messages }), "prompt");
      expect(highest.quantity).toBe(factor * Buffer.byteLength(JSON.stringify({ messages })) + OVERHEAD);
    }
  },
);

test("the lowest price of the prompt is the cache read price if that is lower", () => {
  const cached = estimate({}, model({ input_cache_read: "0.00000001" }));
  expect(component(cached, "prompt").lowest.unitPriceUsd).toBe("0.00000001");
  const dearer = estimate({}, model({ input_cache_read: "0.00001" }));
  expect(component(dearer, "prompt").lowest.unitPriceUsd).toBe("0.00000015");
});

test("the highest price of the prompt includes the cache write price", () => {
  const price = (pricing: object, request = {}) =>
    component(estimate(request, model(pricing)), "prompt").highest.unitPriceUsd;
  expect(price({ input_cache_write: "0.0000002" })).toBe("0.0000002");
  // A cache write price below the prompt price is for storage only, and is added to the prompt price.
  expect(price({ input_cache_write: "0.00000005" })).toBe("0.0000002");
  const hour = { input_cache_write: "0.0000002", input_cache_write_1h: "0.0000003" };
  expect(price(hour)).toBe("0.0000002");
  expect(price(hour, { cache_control: { type: "ephemeral", ttl: "1h" } })).toBe("0.0000003");
});

test("an override for long prompts applies to a long prompt and not to a short one", () => {
  const overrides = [{ min_prompt_tokens: 2000, prompt: "0.0000003", completion: "0.000001" }];
  const short = estimate({}, model({ overrides }));
  expect(component(short, "prompt").highest.unitPriceUsd).toBe("0.00000015");
  const long = estimate({ messages: [{ role: "user", content: "ab".repeat(1000) }] }, model({ overrides }));
  expect(component(long, "prompt").highest.unitPriceUsd).toBe("0.0000003");
  expect(component(long, "prompt").lowest.unitPriceUsd).toBe("0.00000015");
  expect(component(long, "completion").highest.unitPriceUsd).toBe("0.000001");
});

test.each([
  [{ max_tokens: 100 }, 100],
  [{ max_completion_tokens: 200 }, 200],
  [{ max_tokens: 100, max_completion_tokens: 200 }, 200],
  [{ max_tokens: 100, n: 3 }, 300],
  // OpenRouter raises a lower value to 16, the minimum of some providers.
  [{ max_tokens: 1 }, 16],
  // Some providers treat 0 as unlimited.
  [{ max_tokens: 0, n: 2 }, 8192],
  [{ max_tokens: null, n: null }, 4096],
  [{ n: 2 }, 8192],
  // The limit of the model is lower.
  [{ max_tokens: 1_000_000 }, 4096],
  [{ max_tokens: Number.MAX_SAFE_INTEGER }, 4096],
])("the completion of %j has at most %d tokens", (request, quantity) => {
  const { lowest, highest } = component(estimate(request), "completion");
  expect(lowest.nanodollars).toBe(0);
  expect(highest).toEqual({ quantity, unitPriceUsd: "0.0000006", nanodollars: quantity * 600 });
});

test("a completion can fill the context of a model that states no max_completion_tokens", () => {
  const one = model({}, { top_provider: { max_completion_tokens: null } });
  expect(component(estimate({}, one), "completion").highest.quantity).toBe(128_000);
});

test("the highest total is null if nothing limits the completion", () => {
  const result = estimate({}, model({}, { top_provider: null, context_length: null }));
  expect(result.highestNanodollars).toBeNull();
  expect(result.notes).toContain("The length of the completion is unbounded: set max_tokens.");
});

test("the highest price of the completion is the reasoning price if that is higher", () => {
  const price = (internal_reasoning: string) =>
    component(estimate({}, model({ internal_reasoning })), "completion").highest.unitPriceUsd;
  expect(price("0.000001")).toBe("0.000001");
  expect(price("0.0000001")).toBe("0.0000006");
});

test("both totals include the fixed price per request", () => {
  const result = estimate({ max_tokens: 0 }, model({ request: "0.005", prompt: "0", completion: "0" }));
  expect(result).toMatchObject({ lowestNanodollars: 5_000_000, highestNanodollars: 5_000_000 });
});

test("totals are the sums of their components; the lowest total is rounded down, and the highest total up", () => {
  const result = estimate({ max_tokens: 21 }, model({ prompt: "0.0000000001", completion: "0.0000000001" }));
  expect(result.lowestNanodollars).toBe(0);
  expect(result.highestNanodollars).toBe(Math.ceil(mostTokens({ max_tokens: 21 }) / 10) + 3);
});

const IMAGE = { type: "image_url", image_url: { url: "https://example.com/a.png" } };
test.each([
  ["media", { messages: [{ role: "user", content: [{ type: "text", text: TEXT }, IMAGE] }] }],
  ["media", { messages: [{ role: "assistant", content: TEXT, images: [IMAGE] }] }],
  ["media", { messages: [{ role: "assistant", content: TEXT, audio: { id: "audio_1" } }] }],
  ["plugins", { plugins: [{ id: "web" }] }],
  ["web_search", { model: "test/model:online" }],
  ["web_search", { models: ["test/model", "test/other:online"] }],
  ["web_search", { web_search_options: {} }],
  ["server_tools", { tools: [{ type: "openrouter:web_search" }] }],
  ["media_output", { modalities: ["text", "image"] }],
  ["preset", { preset: "mine" }],
  ["preset", { model: "test/model@preset/mine" }],
  ["media", { messages: [{ role: "user", content: [{ type: "text", text: TEXT, image_url: IMAGE }] }] }],
  ["media", { messages: [{ role: "assistant", content: TEXT, annotations: [{ type: "file" }] }] }],
  ["media", { prediction: { type: "content", content: [IMAGE] } }],
  ["media", { prediction: { type: "other" } }],
  ["plugins", { plugins: { id: "web" } }],
  ["server_tools", { tools: [{ name: "f" }] }],
  ["server_tools", { tool_choice: { type: "openrouter:web_search" } }],
  ["unknown_fields", { chat_template_kwargs: { thinking: true } }],
  ["unknown_fields", { transforms: ["of-tomorrow"] }],
  ["unknown_fields", { route: "of-tomorrow" }],
  ["unknown_fields", { provider: { options: {} } }],
  ["unknown_fields", { reasoning: { mode: "long" }, max_tokens: 10 }],
  ["unknown_fields", { messages: [{ role: "user", content: TEXT, attachments: ["file_1"] }] }],
])("the highest cost is null and a note is added for %s in %j", (name, request) => {
  const plain = estimate({});
  const result = estimate(request);
  expect(component(result, name)).toMatchObject({
    lowest: { nanodollars: 0 },
    highest: { quantity: null, nanodollars: null },
  });
  expect(result.highestNanodollars).toBeNull();
  expect(result.notes).toHaveLength(plain.notes.length + 1);
});

test("the highest cost is null for a model that generates images or always searches the web", () => {
  const imageModel = model({}, { architecture: { output_modalities: ["text", "image"] } });
  expect(
    component(estimate({ modalities: ["image"] }, imageModel), "media_output").highest.quantity,
  ).toBeNull();
  const searchModel = model({}, { id: "perplexity/sonar" });
  expect(component(estimate({}, searchModel), "web_search").highest.quantity).toBeNull();
});

test.each([["-1"], ["gibberish"], [undefined]])(
  "the highest cost is null for a listed price of %s",
  (prompt) => {
    const result = estimate({}, model({ prompt }));
    expect(component(result, "prompt")).toMatchObject({
      lowest: { nanodollars: 0 },
      highest: { unitPriceUsd: null, nanodollars: null },
    });
    expect(result.highestNanodollars).toBeNull();
    expect(result.notes).toContain(
      "The price that test/model charges for prompt is not known before the request.",
    );
  },
);

test("the lowest cost is 0 and the highest cost is null for a service tier without listed prices", () => {
  expect(estimate({ service_tier: "priority" })).toMatchObject({
    lowestNanodollars: 0,
    highestNanodollars: null,
  });
  const tier = estimate({ service_tier: "auto" });
  expect(tier.highestNanodollars).toBeGreaterThan(0);
  expect(tier.notes).toEqual(estimate({}).notes);
});

test("the highest cost is known if the other fields do not affect the price or are null", () => {
  const fields = {
    temperature: 1,
    stop: ["x"],
    seed: 1,
    metadata: {},
    user: "u",
    stream: true,
    transforms: ["middle-out"],
  };
  const provider = { order: ["test"], allow_fallbacks: false, sort: { by: "price" } };
  const nothing = { speed: null, preset: null, plugins: [], of_tomorrow: null };
  expect(estimate({ ...fields, ...nothing, provider }).highestNanodollars).toBeGreaterThan(0);
});

test("the note on unknown fields contains at most five names of at most 64 characters, and no value", () => {
  const names = ["a", "b", "c", "d", "e", "f"].map((letter) => letter.repeat(100));
  const { notes } = estimate(Object.fromEntries(names.map((name) => [name, "SECRET"])));
  const note = notes.at(-1) ?? "";
  expect(note).toContain(`${"a".repeat(64)}, `);
  expect(note).not.toContain("a".repeat(65));
  expect(note).toContain("and 1 more");
  expect(note).not.toContain("ff");
  expect(note).not.toContain("SECRET");
});

test("the highest cost is null for a negative discount", () => {
  expect(estimate({}, model({ discount: -0.5 })).highestNanodollars).toBeNull();
  expect(estimate({}, model({ discount: 0.5 })).highestNanodollars).toBe(estimate({}).highestNanodollars);
});

test("the highest price combines overrides that can apply at the same time", () => {
  const overrides = [
    { utc_start: 100, utc_end: 400, prompt: "0.000001" },
    { min_prompt_tokens: 10, input_cache_write: "0.0000005" },
  ];
  const { highest } = component(estimate({}, model({ input_cache_write: "0.0000001", overrides })), "prompt");
  expect(highest.unitPriceUsd).toBe("0.0000015");
});

test("totals range from the cheapest to the most expensive of the fallback models", () => {
  const cheap = model({ prompt: "0.00000001", completion: "0.00000001" }, { id: "test/cheap" });
  const expensive = model({ prompt: "0.00001", completion: "0.00001" }, { id: "test/dear" });
  const result = estimate({}, expensive, cheap);
  expect(result.lowestNanodollars).toBe(estimate({}, cheap).lowestNanodollars);
  expect(result.highestNanodollars).toBe(estimate({}, expensive).highestNanodollars);
  expect(result.components.map((one) => `${one.model} ${one.name}`)).toEqual(
    ["test/dear", "test/cheap"].flatMap((id) =>
      ["prompt", "completion", "request"].map((name) => `${id} ${name}`),
    ),
  );
  expect(estimate({}, cheap, model({ prompt: "-1" })).highestNanodollars).toBeNull();
});

test("the highest cost is null if it exceeds the largest safe integer", () => {
  expect(estimate({ n: Number.MAX_SAFE_INTEGER }).highestNanodollars).toBeNull();
  const endless = model({}, { top_provider: null, context_length: null });
  expect(estimate({ max_tokens: 1e15 }, endless).highestNanodollars).toBeNull();
  expect(estimate({ max_tokens: 1e300 }, endless).highestNanodollars).toBeNull();
});

test("estimateCost throws if there is no candidate", () => {
  expect(() => estimateCost({ ...toRequestBody({ messages: MESSAGES }), mayHitCache: false }, [])).toThrow(
    RangeError,
  );
});
