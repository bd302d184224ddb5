import type { Probe } from "./run-probe.ts";

/** Scenarios and their descriptions. An SDK must pass each of its scenarios through a gateway. */
const SCENARIOS = {
  chat: "A chat completion returns a response",
  stream: "A stream ends with the text of the plain response",
  tools: "A tool call arrives",
  "tools streamed": "A streamed tool call is assembled",
  "structured output": "Structured output is parsed",
  "image input": "An image is forwarded",
  "models list": "The models are listed",
  "model retrieve": "A model is found by its id, also with slash and variant",
  "401": "An unknown key raises the error for 401",
  "400": "An invalid request raises the error for 400",
  "404": "An unknown model or path raises the error for 404",
  "429": "A rate limit raises the error for 429",
  "500": "A server error raises the error for 500",
  cancel: "A stream can be cancelled",
  timeout: "Silence raises a timeout error",
  "retry after 429": "A request is retried after a 429",
} as const;

const CURL_SCENARIOS = {
  chat: "A chat completion returns a response",
  stream: "A stream arrives complete",
  compressed: "A response arrives when the client accepts compression",
  "http 1.0": "A chat completion over HTTP/1.0 returns a response",
  "http 1.0 stream": "A stream over HTTP/1.0 arrives complete",
  "expect continue": "A body of 2 MB that waits for 100 Continue is forwarded",
} as const;

/** For SDKs that, if an error code is not a number, report a fault of their own and hide the reason. */
const CUT_STREAM = { "cut stream": "A stream that is aborted raises an error with the reason" };

/** For OpenAI's current SDKs, in addition to the usual scenarios. */
const RESPONSES_SCENARIOS = {
  response: "A response is answered",
  "response stream": "A streamed response ends with the text of the plain one",
  "response parse": "The structured output of a response is parsed",
  "response tools": "A response calls a tool and continues with its result",
  "response tools streamed": "A streamed response calls a tool and continues with its result",
  "response image": "An image is forwarded in a response",
  "response errors": "Errors of the Responses API raise their own classes",
  "response cancel": "A streamed response can be cancelled",
  "response cut stream": "A streamed response that is aborted raises an error",
};
const RESPONSES_HELPER = { "response stream helper": "The helper for streams assembles the response" };
const OTHER_ENDPOINTS = {
  embeddings: "Embeddings arrive as numbers and as base64",
  completion: "A legacy completion is answered",
  "completion stream": "A streamed legacy completion arrives complete",
};
/** For the SDK for Go, whose helper does not return a response. */
const OPENAI_BASIC_SCENARIOS = { ...allBut(), ...RESPONSES_SCENARIOS, ...OTHER_ENDPOINTS };
const OPENAI_SCENARIOS = { ...OPENAI_BASIC_SCENARIOS, ...RESPONSES_HELPER };

/** For clients of the Messages API, in addition to the usual scenarios. */
const MESSAGES_SCENARIOS = {
  ...CUT_STREAM,
  "stream helper": "The helper for streams assembles the message",
  "tool runner": "The tool runner calls a tool and returns the final message",
  abort: "A stream is cancelled with the helper for streams",
  "413": "A request that is too large raises the error for 413",
  "other errors": "Every other status raises its own error",
};

type Scenario = keyof typeof SCENARIOS;

/** One SDK and the scenarios that it supports. */
export interface Sdk extends Probe {
  /** Name of the SDK, and the run id of its probe. */
  readonly name: string;
  /** The part of the base URL after the origin; `/openai/v1` by default. */
  readonly basePath?: string;
  readonly scenarios: Readonly<Record<string, string>>;
}

function allBut(...excluded: readonly Scenario[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(SCENARIOS).filter(([scenario]) => !excluded.includes(scenario as Scenario)),
  );
}

function node(file: string, ...args: string[]): Probe["command"] {
  return [process.execPath, `tools/sdks/${file}`, ...args];
}

function python(venv: string, file: string, ...args: string[]): Pick<Probe, "command" | "env"> {
  return {
    command: [`tools/sdks/.venv-${venv}/bin/python`, `tools/sdks/${file}`, ...args],
    env: { PYTHONPATH: "tools/sdks", PYTHONDONTWRITEBYTECODE: "1" },
  };
}

export const SDKS: readonly Sdk[] = [
  { name: "openai-node", command: node("openai-node/probe.ts"), scenarios: OPENAI_SCENARIOS },
  { name: "openai-node-4", command: node("openai-node-4/probe.ts"), scenarios: allBut() },
  { name: "openrouter-node", command: node("openrouter-node/probe.ts"), scenarios: allBut() },
  {
    name: "ai-sdk-compatible",
    command: node("ai-sdk/probe.ts", "compatible"),
    scenarios: allBut("models list", "model retrieve"),
  },
  {
    name: "ai-sdk-openrouter",
    command: node("ai-sdk/probe.ts", "openrouter"),
    scenarios: allBut("models list", "model retrieve"),
  },
  {
    name: "langchain-node",
    command: node("langchain-node/probe.ts"),
    scenarios: allBut("models list", "model retrieve"),
  },
  { name: "openai-python", ...python("openai-python", "openai-python/sync.py"), scenarios: OPENAI_SCENARIOS },
  {
    name: "openai-python-async",
    ...python("openai-python", "openai-python/asynchronous.py"),
    scenarios: OPENAI_SCENARIOS,
  },
  {
    name: "openai-python-1",
    ...python("openai-python-1", "openai-python/sync.py"),
    scenarios: OPENAI_SCENARIOS,
  },
  {
    name: "openai-python-1-async",
    ...python("openai-python-1", "openai-python/asynchronous.py"),
    scenarios: OPENAI_SCENARIOS,
  },
  {
    name: "langchain-python",
    ...python("langchain-python", "langchain-python/probe.py"),
    scenarios: allBut("models list", "model retrieve"),
  },
  {
    name: "litellm",
    ...python("litellm", "litellm/probe.py"),
    scenarios: { ...allBut("models list", "model retrieve"), ...CUT_STREAM },
  },
  {
    name: "pydantic-ai",
    ...python("pydantic-ai", "pydantic-ai/probe.py"),
    scenarios: { ...allBut("models list", "model retrieve"), ...CUT_STREAM },
  },
  { name: "openai-go", command: ["tools/sdks/openai-go/probe"], scenarios: OPENAI_BASIC_SCENARIOS },
  {
    name: "openai-java",
    command: [
      "java",
      "-cp",
      "tools/sdks/openai-java/target/classes:tools/sdks/openai-java/target/lib/*",
      "sluice.Probe",
    ],
    scenarios: OPENAI_SCENARIOS,
  },
  {
    name: "anthropic-node",
    command: node("anthropic-node/probe.ts"),
    basePath: "/anthropic",
    scenarios: { ...allBut(), ...MESSAGES_SCENARIOS },
  },
  {
    name: "anthropic-node-root",
    command: node("anthropic-node/probe.ts"),
    basePath: "",
    scenarios: { ...allBut(), ...MESSAGES_SCENARIOS },
  },
  {
    name: "anthropic-python",
    ...python("anthropic-python", "anthropic-python/sync.py"),
    basePath: "/anthropic",
    scenarios: { ...allBut(), ...MESSAGES_SCENARIOS },
  },
  {
    name: "anthropic-python-async",
    ...python("anthropic-python", "anthropic-python/asynchronous.py"),
    basePath: "",
    scenarios: { ...allBut(), ...MESSAGES_SCENARIOS },
  },
  { name: "curl", command: node("curl/probe.ts"), scenarios: CURL_SCENARIOS },
];
