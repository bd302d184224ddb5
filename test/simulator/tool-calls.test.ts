import { expect, test } from "vitest";
import { type Json, readEvents, readJson, sendTo } from "../support/model-endpoints.ts";
import { startTestSimulator } from "../support/simulator.ts";

interface Protocol {
  readonly path: string;
  readonly question: object;
  /** the fields of the question after the call and its result */
  readonly withResult: object;
  buildTool(name: string, schema: object): object;
  readonly forbids: unknown;
  choose(name: string): object;
  /** the name and the arguments that the response calls, or its text */
  readCall(json: Json): readonly unknown[];
  /** the arguments in the deltas of a stream */
  joinDeltas(events: readonly Json[]): string;
  format(schema: object): object;
}

type Choices = { message: { content: string; tool_calls?: { function: Record<string, string> }[] } }[];

const CHAT: Protocol = {
  path: "/chat/completions",
  question: { messages: [{ role: "user", content: "?" }] },
  withResult: {
    messages: [
      { role: "user", content: "?" },
      { role: "assistant", content: null, tool_calls: [] },
      { role: "tool", tool_call_id: "call_1", content: "hello" },
    ],
  },
  buildTool: (name, parameters) => ({ type: "function", function: { name, parameters } }),
  forbids: "none",
  choose: (name) => ({ type: "function", function: { name } }),
  readCall: ({ choices }) => {
    const [choice] = choices as Choices;
    const call = choice?.message.tool_calls?.[0]?.function;
    return call ? [call["name"], JSON.parse(call["arguments"] ?? "")] : [choice?.message.content];
  },
  joinDeltas: (events) =>
    events
      .flatMap(({ choices }) => choices as { delta: Choices[0]["message"] }[])
      .map(({ delta }) => delta.tool_calls?.[0]?.function["arguments"] ?? "")
      .join(""),
  format: (schema) => ({ response_format: { type: "json_schema", json_schema: { name: "x", schema } } }),
};

type OutputItem = Record<string, string> & { content?: { text: string }[] };

const RESPONSES: Protocol = {
  path: "/responses",
  question: { input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "?" }] }] },
  withResult: {
    input: [
      { role: "user", content: "?" },
      { type: "function_call", call_id: "call_1", name: "bash", arguments: "{}" },
      { type: "function_call_output", call_id: "call_1", output: "hello" },
    ],
  },
  buildTool: (name, parameters) => ({ type: "function", name, parameters }),
  forbids: "none",
  choose: (name) => ({ type: "function", name }),
  readCall: ({ output }) => {
    const item = (output as OutputItem[]).at(-1);
    return item?.["type"] === "function_call"
      ? [item["name"], JSON.parse(item["arguments"] ?? "")]
      : [item?.content?.[0]?.text];
  },
  joinDeltas: (events) =>
    events
      .filter(({ type }) => type === "response.function_call_arguments.delta")
      .map(({ delta }) => delta)
      .join(""),
  format: (schema) => ({ text: { format: { type: "json_schema", name: "x", schema } } }),
};

type Block = { type: string; name: string; input: unknown; text: string };

const ANTHROPIC: Protocol = {
  path: "/messages",
  question: { messages: [{ role: "user", content: [{ type: "text", text: "?" }] }] },
  withResult: {
    messages: [
      { role: "user", content: "?" },
      { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "Bash", input: {} }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "hello" }] },
    ],
  },
  buildTool: (name, schema) => ({ name, input_schema: schema }),
  forbids: { type: "none" },
  choose: (name) => ({ type: "tool", name }),
  readCall: ({ content }) => {
    const block = (content as Block[]).at(-1);
    return block?.type === "tool_use" ? [block.name, block.input] : [block?.text];
  },
  joinDeltas: (events) =>
    events.map(({ delta }) => (delta as Record<string, string>)?.["partial_json"] ?? "").join(""),
  format: (schema) => ({ output_config: { format: { type: "json_schema", schema } } }),
};

const PROTOCOLS = [CHAT, RESPONSES, ANTHROPIC];

const SEARCH = {
  type: "object",
  properties: { limit: { type: "integer", minimum: 3 } },
  required: ["limit"],
};
const COMMAND = {
  type: "object",
  properties: { command: { type: "string" }, cwd: { type: "string" } },
  required: ["command"],
};

async function ask({ path }: Protocol, ...fields: readonly object[]): Promise<Json> {
  const input: Json = Object.assign({}, ...fields) as Json;
  const simulator = await startTestSimulator();
  return readJson(await sendTo(simulator, { path, model: "openai/gpt-5-mini", input }));
}

test.each(PROTOCOLS)("$path calls the shell if there is one, else the first tool", async (protocol) => {
  const search = protocol.buildTool("search", SEARCH);
  for (const name of ["Bash", "shell", "exec_command"]) {
    const tools = [search, protocol.buildTool(name, COMMAND)];
    const call = protocol.readCall(await ask(protocol, protocol.question, { tools }));
    expect(call).toEqual([name, { command: "echo hello" }]);
  }
  const tools = [search, protocol.buildTool("other", COMMAND)];
  expect(protocol.readCall(await ask(protocol, protocol.question, { tools }))).toEqual([
    "search",
    { limit: 3 },
  ]);
});

test.each(PROTOCOLS)("$path streams the arguments of a call in fragments", async (protocol) => {
  const simulator = await startTestSimulator();
  const input = { ...protocol.question, tools: [protocol.buildTool("bash", COMMAND)], stream: true };
  const response = await sendTo(simulator, { path: protocol.path, model: "openai/gpt-5-mini", input });
  const text = protocol.joinDeltas(readEvents(await response.text()));
  expect(JSON.parse(text)).toEqual({ command: "echo hello" });
});

test.each(PROTOCOLS)(
  "$path responds with a text after the result, and if calls are forbidden",
  async (protocol) => {
    const tools = [protocol.buildTool("bash", COMMAND)];
    const after = await ask(protocol, protocol.withResult, { tools });
    expect(protocol.readCall(after)).toEqual([expect.stringMatching(/^Echo: /)]);
    const forbidden = await ask(protocol, protocol.question, { tools, tool_choice: protocol.forbids });
    expect(protocol.readCall(forbidden)).toEqual([expect.stringMatching(/^Echo: /)]);
  },
);

test.each(PROTOCOLS)("$path calls the tool that the request names", async (protocol) => {
  const tools = [protocol.buildTool("bash", COMMAND), protocol.buildTool("search", SEARCH)];
  const chosen = { tools, tool_choice: protocol.choose("search") };
  const [name] = protocol.readCall(await ask(protocol, protocol.question, chosen));
  expect(name).toBe("search");
});

test.each(PROTOCOLS)("$path responds with JSON that matches a schema", async (protocol) => {
  const json = await ask(protocol, protocol.question, protocol.format(SEARCH));
  expect(protocol.readCall(json)).toEqual(['{"limit":3}']);
});

test.each([
  [{ properties: { cmd: { type: "string" } } }, { cmd: "echo hello" }],
  [
    { properties: { command: { type: "array", items: { type: "string" } } } },
    { command: ["sh", "-c", "echo hello"] },
  ],
  [undefined, { command: "echo hello" }],
])("a shell with the schema %j gets the arguments %j", async (schema, input) => {
  const tool = { ...ANTHROPIC.buildTool("bash", {}), type: "bash_20250124", input_schema: schema };
  expect(ANTHROPIC.readCall(await ask(ANTHROPIC, ANTHROPIC.question, { tools: [tool] }))).toEqual([
    "bash",
    input,
  ]);
});

test("tools that run upstream are not called", async () => {
  const tools = [{ type: "web_search_20250305", name: "web_search" }];
  const json = await ask(ANTHROPIC, ANTHROPIC.question, { tools });
  expect(ANTHROPIC.readCall(json)).toEqual([expect.stringMatching(/^Echo: /)]);
});

test("thinking is a block with a signature, and reasoning an item that can be encrypted", async () => {
  const thought = await ask(ANTHROPIC, ANTHROPIC.question, { thinking: { type: "adaptive" } });
  expect(thought["content"]).toMatchObject([{ type: "thinking" }, { type: "text" }]);
  const include = ["reasoning.encrypted_content"];
  const reasoned = await ask(RESPONSES, RESPONSES.question, { reasoning: { effort: "low" }, include });
  expect(reasoned["output"]).toMatchObject([
    {
      type: "reasoning",
      summary: [{ type: "summary_text" }],
      encrypted_content: expect.any(String) as string,
    },
    { type: "message" },
  ]);
});
