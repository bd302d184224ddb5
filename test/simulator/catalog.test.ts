import { expect, test } from "vitest";
import { getJson, startTestSimulator } from "../support/simulator.ts";

interface Listed {
  readonly id: string;
  readonly architecture: Record<"input_modalities" | "output_modalities", string[]>;
  readonly pricing: Record<string, string>;
}

async function get(path: string): Promise<{ status: number; json: unknown }> {
  return getJson(await startTestSimulator(), path);
}

async function listIds(path: string): Promise<string[]> {
  return ((await get(path)).json as { data: Listed[] }).data.map(({ id }) => id);
}

test.each([
  ["openai/gpt-4o", ["text", "image", "file"], ["text"]],
  ["openai/gpt-audio", ["text", "audio"], ["text", "audio"]],
  ["google/gemini-3.1-flash-image", ["image", "text"], ["image", "text"]],
  ["deepseek/deepseek-r1", ["text"], ["text"]],
  ["voyageai/rerank-2.5-lite", ["text"], ["rerank"]],
])("%s reads %j and writes %j", async (id, inputs, outputs) => {
  const { json } = await get(`/model/${id}`);
  const architecture = { input_modalities: inputs, output_modalities: outputs };
  expect(json).toMatchObject({ data: { id, architecture } });
});

test.each(["/model/openai/none", "/model/openai", "/models/openai/gpt-4o"])(
  "%s is not found",
  async (path) => {
    expect(await get(path)).toMatchObject({ status: 404, json: { error: { code: 404 } } });
  },
);

test("lists embedding models with their prices", async () => {
  const { json } = await get("/embeddings/models");
  const prices = (json as { data: Listed[] }).data.map(({ id, pricing }) => [id, pricing["prompt"]]);
  expect(Object.fromEntries(prices)).toMatchObject({
    "openai/text-embedding-3-small": "0.00000002",
    "google/gemini-embedding-001": "0.00000015",
  });
});

test("counts the models that the same filters list", async () => {
  for (const query of ["", "?output_modalities=all", "?output_modalities=image,embeddings"]) {
    const ids = await listIds(`/models${query}`);
    expect((await get(`/models/count${query}`)).json).toEqual({ data: { count: ids.length } });
  }
});

test.each([
  ["q=HAIKU", ["anthropic/claude-haiku-4.5"]],
  ["input_modalities=audio&model_authors=openai", ["openai/gpt-audio"]],
  ["min_price=4&model_authors=anthropic", ["anthropic/claude-opus-5", "anthropic/claude-opus-5-fast"]],
  ["max_price=0.09&model_authors=qwen", ["qwen/qwen3-32b"]],
  ["max_output_price=0&model_authors=meta-llama", ["meta-llama/llama-3.3-70b-instruct:free"]],
  ["context=1050000&model_authors=~openai,openai", ["~openai/gpt-latest"]],
  [
    "output_modalities=rerank&sort=pricing-high-to-low&limit=2",
    ["voyageai/rerank-2.5", "voyageai/rerank-2.5-lite"],
  ],
  ["output_modalities=rerank&sort=pricing-high-to-low&offset=2", ["cohere/rerank-v3.5"]],
  ["output_modalities=rerank&sort=context-high-to-low&offset=2", ["cohere/rerank-v3.5"]],
])("the filter %s finds %j", async (query, ids) => {
  expect(await listIds(`/models?${query}`)).toEqual(ids);
});

test("lists providers and the endpoints that retain no data", async () => {
  const { json: providers } = await get("/providers");
  expect(providers).toMatchObject({
    data: expect.arrayContaining([
      expect.objectContaining({ name: "Amazon Bedrock", slug: "amazon-bedrock" }),
    ]) as object,
  });
  const { json: endpoints } = await get("/endpoints/zdr");
  const names = (endpoints as { data: { provider_name: string }[] }).data.map((one) => one.provider_name);
  expect([names.includes("Groq"), names.includes("OpenAI")]).toEqual([true, false]);
});

test("only the models of a user need a key", async () => {
  const { baseUrl } = await startTestSimulator();
  const paths = [
    "/models/user",
    "/models",
    "/models/count",
    "/embeddings/models",
    "/providers",
    "/endpoints/zdr",
  ];
  const statuses = await Promise.all(paths.map(async (path) => (await fetch(baseUrl + path)).status));
  expect(statuses).toEqual([401, 200, 200, 200, 200, 200]);
});
