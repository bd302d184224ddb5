import { expect, test } from "vitest";
import { findNestedModels } from "../../src/request/nested-models.ts";

const FUNCTION = {
  type: "function",
  function: { name: "f", parameters: { type: "object", properties: { model: { type: "string" } } } },
};

test.each([
  [{}],
  [{ plugins: null, tools: null }],
  [{ plugins: [], tools: [] }],
  [{ tools: [FUNCTION, { function: { name: "g" } }, null, "text", 1] }],
  [{ tools: [{ ...FUNCTION, parameters: { model: "a/b" } }] }],
  [{ tools: [{ type: "openrouter:web_search", parameters: { max_results: 3 } }] }],
  [{ plugins: [{ id: "web" }, { id: "response-healing" }, null, "fusion"] }],
  [{ plugins: [{ id: "fusion", model: "a/b", enabled: false }] }],
  [{ tools: [{ type: "namespace", name: "agents", tools: [FUNCTION, { type: "custom", name: "c" }] }] }],
  [{ plugins: [{ id: "auto-router", allowed_models: ["a/*"] }] }],
  [{ input: "text" }],
  [{ input: [1, "text", null, [2], { type: "mcp_list_tools", tools: [{ name: "f", input_schema: {} }] }] }],
  [{ input: [{ type: "additional_tools", role: "developer", tools: [FUNCTION] }] }],
  [{ input: [{ type: "openrouter:advisor", model: "a/b", status: "completed" }] }],
])("finds no nested model in %j", (request) => {
  expect(findNestedModels(request)).toEqual([]);
});

test.each([
  [
    { plugins: [{ id: "fusion", model: "a/b", analysis_models: ["c/d", "e/f"] }] },
    {
      "plugins[0].model": "a/b",
      "plugins[0].analysis_models[0]": "c/d",
      "plugins[0].analysis_models[1]": "e/f",
    },
  ],
  [
    { tools: [FUNCTION, { type: "openrouter:advisor", parameters: { model: "a/b" } }] },
    { "tools[1].parameters.model": "a/b" },
  ],
  [
    { tools: [{ type: "openrouter:image_generation", parameters: { model: "a/b" } }] },
    { "tools[0].parameters.model": "a/b" },
  ],
  [
    { tools: [{ type: "openrouter:of_tomorrow", parameters: { model: "a/b" } }] },
    { "tools[0].parameters.model": "a/b" },
  ],
  [
    {
      tools: [
        {
          type: "openrouter:subagent",
          parameters: { model: "a/b", tools: [{ type: "openrouter:advisor", parameters: { model: "c/d" } }] },
        },
      ],
    },
    { "tools[0].parameters.model": "a/b", "tools[0].parameters.tools[0].parameters.model": "c/d" },
  ],
  [
    {
      plugins: [
        {
          id: "fusion",
          model: "e/f",
          analysis_models: ["a/b"],
          tools: [{ type: "openrouter:advisor", parameters: { model: "c/d" } }],
        },
      ],
    },
    {
      "plugins[0].model": "e/f",
      "plugins[0].analysis_models[0]": "a/b",
      "plugins[0].tools[0].parameters.model": "c/d",
    },
  ],
  [{ tools: [{ type: "image_generation", model: "a/b" }] }, { "tools[0].model": "a/b" }],
  [{ tools: [{ type: "advisor_20260301", name: "advisor", model: "a/b" }] }, { "tools[0].model": "a/b" }],
  [
    {
      input: [
        { role: "user", content: "Hello" },
        {
          type: "additional_tools",
          role: "developer",
          tools: [
            { type: "openrouter:advisor", parameters: { model: "a/b" } },
            { type: "namespace", tools: [{ type: "image_generation", model: "c/d" }] },
          ],
        },
      ],
    },
    { "input[1].tools[0].parameters.model": "a/b", "input[1].tools[1].tools[0].model": "c/d" },
  ],
  [
    { tools: [{ type: "namespace", tools: [FUNCTION, { type: "image_generation", model: "a/b" }] }] },
    { "tools[0].tools[1].model": "a/b" },
  ],
  [
    { tools: [{ type: "openrouter:fusion", parameters: { analysis_models: ["a/b"] } }] },
    { "tools[0].parameters.analysis_models[0]": "a/b" },
  ],
])("finds the models that %j names, with their paths", (request, expected) => {
  expect(Object.fromEntries(findNestedModels(request).map(({ param, name }) => [param, name]))).toEqual(
    expected,
  );
});

test.each([
  [{ tools: [{ type: "openrouter:fusion" }] }, "tools[0].parameters.analysis_models", "openrouter/fusion"],
  [{ tools: [{ type: "openrouter:advisor" }] }, "tools[0].parameters.model", "openrouter/auto"],
  [
    { tools: [{ type: "openrouter:advisor", parameters: { model: null } }] },
    "tools[0].parameters.model",
    "openrouter/auto",
  ],
  [
    { tools: [{ type: "openrouter:image_generation", parameters: {} }] },
    "tools[0].parameters.model",
    "openai/gpt-5-image",
  ],
  [{ tools: [{ type: "image_generation", quality: "high" }] }, "tools[0].model", "openai/gpt-5-image"],
])("finds the model that OpenRouter chooses for %j", (request, param, name) => {
  expect(findNestedModels(request)).toEqual([{ param, name }]);
});

test.each([
  [{ id: "fusion" }, ["analysis_models", "model"]],
  [{ id: "fusion", preset: "general-high" }, ["analysis_models", "model"]],
  [{ id: "fusion", analysis_models: [], model: null }, ["analysis_models", "model"]],
  [{ id: "fusion", analysis_models: [1], model: ["a/b"] }, ["analysis_models", "model"]],
  [{ id: "fusion", analysis_models: "a/b", model: 7 }, ["analysis_models", "model"]],
  [{ id: "fusion", analysis_models: ["a/b", null], model: "a/b" }, ["analysis_models"]],
  [{ id: "fusion", analysis_models: ["a/b"] }, ["model"]],
  [{ id: "fusion", model: "a/b" }, ["analysis_models"]],
])("finds openrouter/fusion for the plugin %j in %j, the fields without valid models", (plugin, fields) => {
  const defaults = findNestedModels({ plugins: [plugin] }).filter(({ name }) => name === "openrouter/fusion");
  expect(defaults.map(({ param }) => param)).toEqual(fields.map((field) => `plugins[0].${field}`));
});

test("finds no nested model for a subagent without a model, which uses the model of the request", () => {
  expect(findNestedModels({ tools: [{ type: "openrouter:subagent" }] })).toEqual([]);
});
