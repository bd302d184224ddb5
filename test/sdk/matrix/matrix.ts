import type { Probe } from "./run-probe.ts";

/** The features that an SDK needs of a gateway, each with its test title. */
const SCENARIOS = {
  chat: "A chat is answered",
  stream: "A stream ends with the text of the plain answer",
  tools: "A tool call arrives",
  "tools streamed": "A streamed tool call is put together",
  "structured output": "Structured output is parsed",
  "image input": "A picture gets through",
  "models list": "The models are listed",
  "model retrieve": "A model is found by its id, slash and variant included",
  "401": "A wrong key raises the error of 401",
  "400": "A wrong request raises the error of 400",
  "404": "An unknown model or path raises the error of 404",
  "429": "A limit raises the error of 429",
  "500": "A failure raises the error of 500",
  cancel: "A stream can be left",
  timeout: "Silence raises the error of a timeout",
  "retry after 429": "A request that met a limit is tried again",
} as const;

const CURL_SCENARIOS = {
  chat: "A chat is answered",
  stream: "A stream comes whole",
  compressed: "An answer that may be compressed is read",
  "http 1.0": "A chat over HTTP/1.0 is answered",
  "http 1.0 stream": "A stream over HTTP/1.0 comes whole",
  "expect continue": "A body of 2 MB that waits for 100 Continue gets through",
} as const;

/** For clients that take a code which is no number for a fault of their own, and hide the reason. */
const CUT_STREAM = { "cut stream": "An aborted stream raises an error with the reason" };

type Scenario = keyof typeof SCENARIOS;

/** A row of the matrix. */
export interface Sdk extends Probe {
  /** The probe's run id as well. */
  readonly name: string;
  readonly scenarios: Readonly<Record<string, string>>;
}

function allBut(...lacks: readonly Scenario[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(SCENARIOS).filter(([scenario]) => !lacks.includes(scenario as Scenario)),
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
  { name: "openai-node", command: node("openai-node/probe.ts"), scenarios: allBut() },
  { name: "openai-node-4", command: node("openai-node-4/probe.ts"), scenarios: allBut() },
  {
    name: "openrouter-node",
    command: node("openrouter-node/probe.ts"),
    scenarios: allBut("model retrieve"),
  },
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
  { name: "openai-python", ...python("openai-python", "openai-python/sync.py"), scenarios: allBut() },
  {
    name: "openai-python-async",
    ...python("openai-python", "openai-python/asynchronous.py"),
    scenarios: allBut(),
  },
  { name: "openai-python-1", ...python("openai-python-1", "openai-python/sync.py"), scenarios: allBut() },
  {
    name: "openai-python-1-async",
    ...python("openai-python-1", "openai-python/asynchronous.py"),
    scenarios: allBut(),
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
  { name: "openai-go", command: ["tools/sdks/openai-go/probe"], scenarios: allBut() },
  {
    name: "openai-java",
    command: [
      "java",
      "-cp",
      "tools/sdks/openai-java/target/classes:tools/sdks/openai-java/target/lib/*",
      "sluice.Probe",
    ],
    scenarios: allBut(),
  },
  { name: "curl", command: node("curl/probe.ts"), scenarios: CURL_SCENARIOS },
];
