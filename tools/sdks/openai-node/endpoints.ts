// The scenarios of the Responses API, embeddings and legacy completions with OpenAI's SDK for Node.
import assert from "node:assert/strict";
import * as sdk from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import * as probe from "../harness.ts";

const client = new sdk.OpenAI({ baseURL: probe.BASE_URL, apiKey: probe.API_KEY, maxRetries: 0 });
const { responses, embeddings, completions } = client;

const TOOL = {
  type: "function" as const,
  name: probe.TOOL_NAME,
  parameters: probe.TOOL_SCHEMA,
  strict: true,
};

type Response = sdk.OpenAI.Responses.Response;
type Input = sdk.OpenAI.Responses.ResponseInputItem;

function createRequest(scenario: string, model: string): { model: string; input: string } {
  return { model, input: probe.buildPrompt(scenario) };
}

/** Returns the result of the tool call in `asked`. @returns the text of the response. */
async function returnResult(scenario: string, asked: Response): Promise<string> {
  const call = asked.output.find((item) => item.type === "function_call");
  assert.equal(call?.name, probe.TOOL_NAME);
  assert.deepEqual(JSON.parse(call.arguments), { city: probe.CITY });
  const { call_id } = call;
  const input: Input[] = [
    { role: "user", content: probe.buildPrompt(scenario) },
    { type: "function_call", call_id, name: call.name, arguments: call.arguments },
    { type: "function_call_output", call_id, output: probe.TOOL_RESULT },
  ];
  return (await responses.create({ model: probe.PLAIN, input, tools: [TOOL] })).output_text;
}

function provoke(model: string, more: object = {}): PromiseLike<Response> {
  return responses.create({ ...createRequest("response errors", model), ...more });
}

/** The scenarios of the Responses API. */
export const responsesScenarios: probe.Scenarios = {
  response: async () => {
    const response = await responses.create(createRequest("response", probe.PLAIN));
    assert.equal(response.output_text, probe.buildReply("response"));
    assert.equal(response.status, "completed");
    assert(response.usage && response.usage.input_tokens > 0 && response.usage.output_tokens > 0);
  },
  "response stream": async () => {
    let text = "";
    let last: string | undefined;
    const request = createRequest("response stream", probe.STREAMED);
    for await (const event of await responses.create({ ...request, stream: true })) {
      if (event.type === "response.output_text.delta") text += event.delta;
      last = event.type;
    }
    assert.equal(text, (await responses.create({ ...request, model: probe.PLAIN })).output_text);
    assert.equal(text, probe.buildReply("response stream"));
    assert.equal(last, "response.completed");
  },
  "response stream helper": async () => {
    const request = createRequest("response stream helper", probe.STREAMED);
    const response = await responses.stream(request).finalResponse();
    assert.equal(response.output_text, probe.buildReply("response stream helper"));
    assert(response.usage && response.usage.total_tokens > 0);
  },
  "response parse": async () => {
    const format = zodTextFormat(z.object({ city: z.string(), celsius: z.int() }), "report");
    const request = { ...createRequest("response parse", probe.PLAIN), text: { format } };
    assert.deepEqual((await responses.parse(request)).output_parsed, probe.REPORT);
  },
  "response tools": async () => {
    const request = createRequest("response tools", probe.PLAIN);
    const asked = await responses.create({ ...request, tools: [TOOL] });
    assert.equal(await returnResult("response tools", asked), probe.buildReply("response tools"));
  },
  "response tools streamed": async () => {
    const scenario = "response tools streamed";
    const stream = responses.stream({ ...createRequest(scenario, probe.STREAMED), tools: [TOOL] });
    assert.equal(await returnResult(scenario, await stream.finalResponse()), probe.buildReply(scenario));
  },
  "response image": async () => {
    const content = [
      { type: "input_text" as const, text: probe.buildPrompt("response image") },
      { type: "input_image" as const, image_url: probe.PICTURE_URL, detail: "auto" as const },
    ];
    const response = await responses.create({ model: probe.PLAIN, input: [{ role: "user", content }] });
    assert.equal(response.output_text, probe.buildReply("response image"));
  },
  "response errors": async () => {
    const mistake = await probe.expectFailure(provoke(probe.PLAIN, { temperature: 3 }), sdk.BadRequestError);
    probe.expectFields(mistake, { status: 400, code: "invalid_value", param: "temperature" });
    const limit = await probe.expectFailure(provoke(probe.failing(429)), sdk.RateLimitError);
    assert.match(limit.message, /Rate limit exceeded/);
    const failure = await probe.expectFailure(provoke(probe.failing(502)), sdk.InternalServerError);
    probe.expectFields(failure, { status: 502, code: 502 });
  },
  "response cancel": async () => {
    let events = 0;
    const request = createRequest("response cancel", probe.SLOW);
    for await (const _ of await responses.create({ ...request, stream: true })) if (++events === 8) break;
    assert.equal(events, 8);
  },
  "response cut stream": async () => {
    const request = createRequest("response cut stream", probe.CUT);
    const events = responses.create({ ...request, stream: true }).then(Array.fromAsync);
    const error = await probe.expectFailure(events, sdk.APIError);
    assert.match(error.message, new RegExp(probe.WHY_CUT));
    const helper = responses.stream(request).finalResponse();
    const same = await probe.expectFailure(helper, sdk.OpenAIError);
    assert.match(same.message, new RegExp(probe.WHY_CUT));
  },
};

/** The scenarios of embeddings and legacy completions. */
export const otherScenarios: probe.Scenarios = {
  embeddings: async () => {
    const request = {
      model: probe.EMBEDDER,
      input: [probe.buildPrompt("embeddings"), "second"],
      dimensions: 64,
    };
    // The SDK requests base64 by default.
    const packed = await embeddings.create(request);
    const numbers = await embeddings.create({ ...request, encoding_format: "float" });
    assert.equal(packed.data.length, 2);
    assert.equal(packed.data[1]?.embedding.length, 64);
    assert.deepEqual(packed.data, numbers.data);
    assert(packed.usage.total_tokens > 0);
  },
  completion: async () => {
    const prompt = probe.buildPrompt("completion");
    const completion = await completions.create({ model: probe.PLAIN, prompt });
    assert.equal(completion.choices[0]?.text, probe.buildReply("completion"));
    assert(completion.usage && completion.usage.total_tokens > 0);
  },
  "completion stream": async () => {
    let text = "";
    const prompt = probe.buildPrompt("completion stream");
    const chunks = await completions.create({ model: probe.STREAMED, prompt, stream: true });
    for await (const chunk of chunks) text += chunk.choices[0]?.text ?? "";
    assert.equal(text, probe.buildReply("completion stream"));
  },
};
