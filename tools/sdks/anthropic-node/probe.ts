// Probe of Anthropic's official SDK for Node.
import assert from "node:assert/strict";
import * as sdk from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";
import * as probe from "../harness.ts";
import { errorScenarios } from "./errors.ts";
import { connect, createRequest, readText, TOOL } from "./requests.ts";

const { messages, models, beta } = connect();

function getToolUse(message: sdk.Anthropic.Message): sdk.Anthropic.ToolUseBlock {
  const call = message.content.find((block) => block.type === "tool_use");
  assert(call);
  assert.equal(message.stop_reason, "tool_use");
  probe.expectFields(call, { name: probe.TOOL_NAME, input: { city: probe.CITY } });
  return call;
}

/** Returns the result of a tool call. @returns the text of the response. */
async function returnResult(scenario: string, asked: sdk.Anthropic.Message): Promise<string> {
  const result = { type: "tool_result" as const, tool_use_id: getToolUse(asked).id };
  const request = createRequest(scenario, probe.PLAIN);
  request.messages.push({ role: "assistant", content: asked.content });
  request.messages.push({ role: "user", content: [{ ...result, content: probe.TOOL_RESULT }] });
  return readText(await messages.create({ ...request, tools: [TOOL] }));
}

const answerScenarios: probe.Scenarios = {
  chat: async () => {
    const message = await messages.create(createRequest("chat", probe.PLAIN));
    assert.equal(readText(message), probe.buildReply("chat"));
    assert.equal(message.stop_reason, "end_turn");
    assert(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
  },
  stream: async () => {
    let text = "";
    let stopReason: string | null = null;
    const events = await messages.create({ ...createRequest("stream", probe.STREAMED), stream: true });
    for await (const event of events) {
      if (event.type === "content_block_delta" && event.delta.type === "text_delta") text += event.delta.text;
      if (event.type === "message_delta") stopReason = event.delta.stop_reason;
    }
    assert.equal(text, readText(await messages.create(createRequest("stream", probe.PLAIN))));
    assert.equal(text, probe.buildReply("stream"));
    assert.equal(stopReason, "end_turn");
  },
  "stream helper": async () => {
    const message = await messages.stream(createRequest("stream helper", probe.STREAMED)).finalMessage();
    assert.equal(readText(message), probe.buildReply("stream helper"));
    assert(message.usage.output_tokens > 0);
  },
  tools: async () => {
    const asked = await messages.create({ ...createRequest("tools", probe.PLAIN), tools: [TOOL] });
    assert.equal(await returnResult("tools", asked), probe.buildEcho(probe.TOOL_RESULT));
  },
  "tools streamed": async () => {
    const request = { ...createRequest("tools streamed", probe.STREAMED), tools: [TOOL] };
    const asked = await messages.stream(request).finalMessage();
    assert.equal(await returnResult("tools streamed", asked), probe.buildEcho(probe.TOOL_RESULT));
  },
  "tool runner": async () => {
    const cities: unknown[] = [];
    const run = (input: unknown): string => {
      cities.push(input);
      return probe.TOOL_RESULT;
    };
    const tools = [{ ...TOOL, run, parse: (input: unknown) => input }];
    const request = createRequest("tool runner", probe.PLAIN);
    const message = await beta.messages.toolRunner({ ...request, tools, thread: false });
    assert.equal(readText(message), probe.buildEcho(probe.TOOL_RESULT));
    assert.deepEqual(cities, [{ city: probe.CITY }]);
  },
  "structured output": async () => {
    const format = zodOutputFormat(z.object({ city: z.string(), celsius: z.int() }));
    const request = { ...createRequest("structured output", probe.PLAIN), output_config: { format } };
    assert.deepEqual((await messages.parse(request)).parsed_output, probe.REPORT);
  },
  "image input": async () => {
    const request = createRequest("image input", probe.PLAIN);
    const source = { type: "base64", media_type: "image/png", data: probe.PICTURE_BASE64 } as const;
    const text = { type: "text" as const, text: probe.buildPrompt("image input") };
    request.messages = [{ role: "user", content: [{ type: "image", source }, text] }];
    assert.equal(readText(await messages.create(request)), probe.buildReply("image input"));
  },
  "models list": async () => {
    const ids: string[] = [];
    for await (const model of models.list()) ids.push(model.id);
    assert(ids.includes(probe.PLAIN));
    assert.equal(new Set(ids).size, ids.length);
  },
  "model retrieve": async () => {
    for (const id of [probe.PLAIN, "meta-llama/llama-3.3-70b-instruct:free"])
      probe.expectFields(await models.retrieve(id), { id });
  },
};

const timeScenarios: probe.Scenarios = {
  cancel: async () => {
    let events = 0;
    const stream = await messages.create({ ...createRequest("cancel", probe.SLOW), stream: true });
    for await (const _ of stream) if (++events === 5) break;
    assert.equal(events, 5);
  },
  abort: async () => {
    const stream = messages.stream(createRequest("abort", probe.SLOW));
    stream.once("text", () => stream.abort());
    await probe.expectFailure(stream.finalMessage(), sdk.APIUserAbortError);
  },
  timeout: async () => {
    const impatient = connect({ timeout: probe.TIMEOUT_MS });
    const request = impatient.messages.create(createRequest("timeout", probe.SILENT));
    await probe.expectFailure(request, sdk.APIConnectionTimeoutError);
  },
  "retry after 429": async () => {
    const patient = connect({ maxRetries: 2 });
    const message = await patient.messages.create(createRequest("retry after 429", probe.BUSY_ONCE));
    assert.equal(readText(message), probe.buildReply("retry after 429"));
  },
};

await probe.runProbe({ ...answerScenarios, ...timeScenarios, ...errorScenarios });
