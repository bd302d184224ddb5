// Runs the snippets of docs/clients.md as they are on the page, against a gateway in front of a simulated OpenRouter.
import { spawn } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { readCodeBlocks } from "../../support/documentation.ts";
import { ACCOUNT_KEY, CALLER_KEY, startTestGateway } from "../../support/gateway.ts";
import { startTestSimulator } from "../../support/simulator.ts";
import { createTemporaryDirectory } from "../../support/temporary-directory.ts";

const PAGE = "docs/clients.md";
const MARK = "run by test/sdk/matrix/documented-snippets.test.ts";
/** On a busy machine, most of this time is the Go compiler, the start of the JVM or a large Python import. */
const DEADLINE_MS = 120_000;
const SDKS = resolve("tools/sdks");
const MODEL = "openai/gpt-4o-mini";
const PROMPT = "Hello";

/** A program that sends the prompt and prints the response. */
interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly stdin?: string;
  readonly cwd: string;
}

/** How to run one line of a list of frameworks. */
interface Framework {
  /** The start of the line. */
  readonly start: string;
  /** The folder in `tools/sdks` whose packages the line needs. */
  readonly project: string;
  readonly imports: string;
  /** An expression that sends the prompt with `value`, the value of the line, and has the text of the response. */
  readonly send: string;
}

const FOR_NODE: readonly Framework[] = [
  {
    start: "new OpenRouter(",
    project: "openrouter-node",
    imports: 'import { OpenRouter } from "@openrouter/sdk";',
    send: "(await value.chat.send({ chatRequest: { model, messages } })).choices[0].message.content",
  },
  {
    start: "createOpenAICompatible(",
    project: "ai-sdk",
    imports:
      'import { createOpenAICompatible } from "@ai-sdk/openai-compatible"; import { generateText } from "ai";',
    send: "(await generateText({ model: value, messages })).text",
  },
  {
    start: "createOpenRouter(",
    project: "ai-sdk",
    imports:
      'import { createOpenRouter } from "@openrouter/ai-sdk-provider"; import { generateText } from "ai";',
    send: "(await generateText({ model: value, messages })).text",
  },
  {
    start: "new ChatOpenAI(",
    project: "langchain-node",
    imports: 'import { ChatOpenAI } from "@langchain/openai";',
    send: "(await value.invoke(messages)).content",
  },
];

const FOR_PYTHON: readonly Framework[] = [
  {
    start: "openai.AsyncOpenAI(",
    project: "openai-python",
    imports: "import asyncio, openai",
    send: "asyncio.run(value.chat.completions.create(model=model, messages=messages)).choices[0].message.content",
  },
  {
    start: "ChatOpenAI(",
    project: "langchain-python",
    imports: "from langchain_openai import ChatOpenAI",
    send: "value.invoke(messages).content",
  },
  {
    start: "litellm.completion(",
    project: "litellm",
    imports: "import litellm",
    send: "value.choices[0].message.content",
  },
  {
    start: "OpenRouterModel(",
    project: "pydantic-ai",
    imports: `from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openrouter import OpenRouterModel
from pydantic_ai.providers.openrouter import OpenRouterProvider`,
    send: "Agent(value).run_sync(messages[0]['content']).output",
  },
];

const MESSAGES = JSON.stringify([{ role: "user", content: PROMPT }]);

function buildNodeLine(line: string, { project, imports, send }: Framework, baseUrl: string): Program {
  const stdin = `${imports}
const [baseURL, apiKey, model, messages] = [${JSON.stringify(baseUrl)}, process.env.SLUICE_KEY, "${MODEL}", ${MESSAGES}];
const value = ${line}
console.log(${send});`;
  return { command: process.execPath, args: ["--input-type=module"], stdin, cwd: join(SDKS, project) };
}

function buildPythonLine(line: string, { project, imports, send }: Framework, baseUrl: string): Program {
  return buildPython(
    project,
    `${imports}
import os
base_url, key, model, messages = ${JSON.stringify(baseUrl)}, os.environ["SLUICE_KEY"], "${MODEL}", ${MESSAGES}
value = ${line}
print(${send})`,
  );
}

function buildPython(project: string, stdin: string): Program {
  return { command: join(SDKS, `.venv-${project}/bin/python`), args: ["-"], stdin, cwd: SDKS };
}

/** Adds the package, the imports and `main`. */
function buildGo(body: string): Program {
  const cwd = createTemporaryDirectory();
  for (const file of ["go.mod", "go.sum"]) copyFileSync(join(SDKS, "openai-go", file), join(cwd, file));
  const source = `package main

import (
	"context"
	"fmt"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func main() {
${body}}
`;
  writeFileSync(join(cwd, "main.go"), source);
  return { command: "go", args: ["run", "."], cwd };
}

/** Adds the imports, a class and `main`. */
function buildJava(body: string): Program {
  const cwd = createTemporaryDirectory();
  const source = `import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.models.chat.completions.ChatCompletionCreateParams;

class Main {
  public static void main(String[] arguments) {
${body}  }
}
`;
  writeFileSync(join(cwd, "Main.java"), source);
  return { command: "java", args: ["-cp", join(SDKS, "openai-java/target/lib/*"), "Main.java"], cwd };
}

/** The programs of the page: a function creates each for the base URL of a gateway. */
const SNIPPETS = readCodeBlocks(PAGE)
  .filter(({ note = "" }) => note.startsWith(MARK))
  .flatMap(({ language, line, text }) => {
    const one = (build: (body: string) => Program) => [
      {
        line,
        name: language,
        build: (url: string) => build(text.replaceAll("http://localhost:8080", new URL(url).origin)),
      },
    ];
    if (language === "go") return one(buildGo);
    if (language === "java") return one(buildJava);
    if (text.startsWith("import ")) return one((body) => buildPython("openai-python", body));
    const [frameworks, buildLine] =
      language === "python" ? ([FOR_PYTHON, buildPythonLine] as const) : ([FOR_NODE, buildNodeLine] as const);
    return text
      .trimEnd()
      .split("\n")
      .map((snippet, index) => {
        const framework = frameworks.find(({ start }) => snippet.startsWith(start));
        if (!framework) throw new Error(`${PAGE} has a line that this test cannot run: ${snippet}`);
        return {
          line: line + 1 + index,
          name: framework.start + ")",
          build: (url: string) => buildLine(snippet, framework, url),
        };
      });
  });

async function run({ command, args, stdin = "", cwd }: Program): Promise<{ code: unknown; printed: string }> {
  const { PATH = "", HOME = "" } = process.env;
  const env = {
    PATH,
    HOME,
    LANG: "C.UTF-8",
    SLUICE_KEY: CALLER_KEY,
    // Otherwise litellm downloads its list of prices.
    LITELLM_LOCAL_MODEL_COST_MAP: "True",
  };
  // Not `spawnSync`, because the gateway and the simulator run in this process.
  const child = spawn(command, args, { cwd, env, timeout: DEADLINE_MS, killSignal: "SIGKILL" });
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  child.stdin.end(stdin);
  const code = await new Promise((done) => {
    child.on("error", ({ message }) => done(`${message} (run npm run sdks:install first)`));
    child.on("close", done);
  });
  return { code, printed };
}

test.each(SNIPPETS)(
  `the snippet in line $line of ${PAGE} receives a response: $name`,
  async ({ build }) => {
    const simulator = await startTestSimulator({ apiKeys: [ACCOUNT_KEY] });
    const gateway = await startTestGateway(simulator.baseUrl);
    const { code, printed } = await run(build(`${gateway.url}/openai/v1`));
    expect({ code, printed }).toMatchObject({ code: 0, printed: expect.stringContaining(`Echo: ${PROMPT}`) });
    expect(simulator.seen).toHaveLength(1);
  },
  DEADLINE_MS + 5_000,
);

test(`${PAGE} has a line for each framework of this test`, () => {
  expect(SNIPPETS).toHaveLength(FOR_NODE.length + FOR_PYTHON.length + 3);
});
