import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { SECRET_NAMES } from "./config/sources.ts";
import { runGateway } from "./main.ts";
import { startSimulator } from "../tools/simulator/simulator.ts";

const LOCAL_PAGES = ["localhost", "127.0.0.1", "[::1]"]
  .flatMap((host) => [`http://${host}:*`, `https://${host}:*`])
  .join();

/**
 * Runs a gateway and a simulated OpenRouter as this process, for a first look without an account: `npm run demo`.
 * Any key or none is accepted, since there is nothing to spend.
 * @param environment what the operator has set, such as `PORT`; the account and its keys are the demo's own.
 */
export async function runDemo(environment: NodeJS.ProcessEnv): Promise<void> {
  const simulator = await startSimulator();
  environment["LOG_LEVEL"] ??= "warn";
  // So that a page under development on this machine can call it.
  environment["CORS_ORIGINS"] ||= LOCAL_PAGES;
  // What the simulator has billed is gone with it, and so are the keys and the ledger.
  const directory = mkdtempSync(join(tmpdir(), "sluice-demo-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const url = await runGateway(environment, {
    OPENROUTER_API_KEY: "sk-or-simulated",
    OPENROUTER_BASE_URL: simulator.baseUrl,
    GATEWAY_API_KEYS: "demo:sk-demo",
    ALLOW_ANONYMOUS: "true",
    DATA_DIR: directory,
    DATA_DIR_PERSISTENT: "",
    DATABASE_URL: "",
    ...Object.fromEntries(SECRET_NAMES.map((name) => [`${name}_FILE`, ""])),
    // The simulator is on this machine.
    NO_PROXY: "*",
    no_proxy: "*",
  });
  process.stdout.on("error", () => {});
  process.stdout.write(welcome(url, directory));
}

/** What the demo prints: a command and a program that work as pasted, which is why the program logs to a console. */
function welcome(gateway: string, directory: string): string {
  const url = `${gateway}/openai/v1`;
  // Whatever a .env says.
  const sluice = `OPENROUTER_API_KEY=sk-or-simulated DATABASE_URL= DATA_DIR_PERSISTENT= DATA_DIR=${directory} npm run sluice --`;
  return `
Sluice is listening at ${url}, in front of a simulated OpenRouter. Nothing leaves this machine.

  curl -N ${url}/chat/completions \\
    -H "Authorization: Bearer sk-demo" -H "Content-Type: application/json" \\
    -d '{"model": "openrouter/openai/gpt-4o-mini", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'

  import OpenAI from "openai";
  const client = new OpenAI({ baseURL: "${url}", apiKey: "sk-demo" });
  const answer = await client.chat.completions.create({
    model: "openrouter/openai/gpt-4o-mini",
    messages: [{ role: "user", content: "Hello" }],
  });
  console.log(answer.choices[0].message.content);

Leave out "stream" for a plain answer. Keys, and what they have cost, are kept until the demo ends:

  ${sluice} keys create --name bob --models 'google/*,*:free'
  ${sluice} usage --by key,model

${gateway}/docs describes the API for them; it takes a key of \`keys create --name ops --role admin\`.
Stop with Ctrl-C.
`;
}
