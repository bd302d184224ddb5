import { expect, test } from "vitest";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { startJsonServer } from "../support/json-server.ts";

interface ListedModel {
  readonly id: string;
}

const listIds = ({ data }: { data: readonly ListedModel[] }): string[] => data.map(({ id }) => id);

test("the models are listed with prices, context and modalities, including those that produce no text", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const { status, body } = await gateway.callAdmin("GET", "/models");
  expect(status).toBe(200);
  expect(Date.now() - new Date(body.fetched_at).getTime()).toBeLessThan(60_000);
  const model = body.data.find(({ id }: ListedModel) => id === "openai/gpt-4o-mini");
  expect(model).toMatchObject({
    name: "OpenAI: GPT-4o-mini",
    context_length: 128_000,
    input_modalities: expect.arrayContaining(["text"]),
    output_modalities: ["text"],
    pricing: expect.objectContaining({ prompt: "0.00000015", completion: "0.0000006" }),
  });
  expect(listIds(body)).toContain("openai/text-embedding-3-small");
});

test("a search matches ids and names in upper and lower case", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const { body: byId } = await gateway.callAdmin("GET", "/models?search=GPT-4O-MINI");
  expect(listIds(byId)).toContain("openai/gpt-4o-mini");
  const { body: byName } = await gateway.callAdmin("GET", "/models?search=nano%20banana");
  expect(listIds(byName)).toEqual(["google/gemini-3.1-flash-image"]);
  const { body: none } = await gateway.callAdmin("GET", "/models?search=no-such-model");
  expect(none.data).toEqual([]);
});

test("with a key, only the models that the key may use are listed", async () => {
  const simulator = await startTestSimulator();
  const gateway = await startKeyedGateway(simulator.baseUrl);
  await gateway.callAdmin("POST", "/keys", { name: "bob", models: ["google/*", "*:free"] });
  const { body } = await gateway.callAdmin("GET", "/models?key=bob");
  const ids = listIds(body);
  expect(ids).toContain("meta-llama/llama-3.3-70b-instruct:free");
  expect(ids.filter((id) => !/^google\/|:free$/.test(id))).toEqual([]);
  const { body: all } = await gateway.callAdmin("GET", "/models");
  const { body: ofEnvironment } = await gateway.callAdmin("GET", "/models?key=env:ci");
  expect(listIds(ofEnvironment)).toEqual(listIds(all));
  const { status, body: error } = await gateway.callAdmin("GET", "/models?key=nobody");
  expect([status, error.error.code]).toEqual([404, "key_not_found"]);
});

test("the fields of a model that OpenRouter omits or states wrongly are null or empty", async () => {
  const { baseUrl } = await startJsonServer(() => ({
    data: [
      { id: "a/b", created: "yesterday", context_length: "long", pricing: null, architecture: [] },
      { id: "c/d", name: 7, created: 9e99, supported_parameters: ["tools", 1], top_provider: "x" },
    ],
  }));
  const gateway = await startKeyedGateway(baseUrl);
  const { body } = await gateway.callAdmin("GET", "/models");
  const empty = {
    description: null,
    created_at: null,
    context_length: null,
    max_completion_tokens: null,
    input_modalities: [],
    output_modalities: [],
    supported_parameters: [],
    pricing: {},
  };
  expect(body.data).toEqual([
    { id: "a/b", name: "a/b", ...empty },
    { id: "c/d", name: "c/d", ...empty, supported_parameters: ["tools"] },
  ]);
});
