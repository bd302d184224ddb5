import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";

async function get(path: string) {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const response = await fetch(`${simulator.baseUrl}${path}`);
  return {
    status: response.status,
    body: (await response.json()) as { data: { endpoints: Record<string, unknown>[] } },
  };
}

test("lists a model's endpoints in OpenRouter's format, without a key", async () => {
  const { status, body } = await get("/models/openai/gpt-5-mini/endpoints");
  expect(status).toBe(200);
  expect(body.data).toMatchObject({ id: "openai/gpt-5-mini", architecture: { tokenizer: "Other" } });
  expect(
    body.data.endpoints.map(({ tag, pricing }) => [tag, (pricing as { prompt: string }).prompt]),
  ).toEqual([
    ["openai", "0.00000025"],
    ["openai/flex", "0.000000125"],
    ["openai/priority", "0.00000045"],
  ]);
});

test.each([
  ["/models/meta-llama/llama-3.3-70b-instruct:free/endpoints", 200],
  ["/models/~openai/gpt-latest/endpoints", 200],
  ["/models/openai/none/endpoints", 404],
  ["/models/openai/gpt-4o:nitro/endpoints", 404],
])("answers %s with status %d", async (path, status) => {
  expect((await get(path)).status).toBe(status);
});
