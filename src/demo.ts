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
 * Runs a gateway and a simulated OpenRouter in this process, so that a newcomer can try Sluice without an account:
 * `npm run demo`. Requests need no valid key, because nothing can be spent.
 * @param environment the operator's settings, such as `PORT`. The demo overrides the account and its keys.
 */
export async function runDemo(environment: NodeJS.ProcessEnv): Promise<void> {
  const simulator = await startSimulator();
  environment["LOG_LEVEL"] ??= "warn";
  // Lets a web page that is under development on this machine call the demo.
  environment["CORS_ORIGINS"] ||= LOCAL_PAGES;
  // The simulator's account ends with the process, so the demo deletes its keys and its ledger too.
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
    // The simulator runs on this machine, where no proxy is needed.
    NO_PROXY: "*",
    no_proxy: "*",
  });
  process.stdout.on("error", () => {});
  process.stdout.write(welcome(url, directory));
}

/** Returns the text that the demo prints. Its command and its program work as pasted. */
function welcome(gateway: string, directory: string): string {
  const url = `${gateway}/openai/v1`;
  // Overrides the settings of a .env file.
  const sluice = `OPENROUTER_API_KEY=sk-or-simulated DATABASE_URL= DATA_DIR_PERSISTENT= DATA_DIR=${directory} npm run sluice --`;
  return `
Sluice is listening at ${url}, in front of a simulated OpenRouter. Nothing leaves this machine.

  curl -N ${url}/chat/completions \\
    -H "Authorization: Bearer sk-demo" -H "Content-Type: application/json" \\
    -d '{"model": "openrouter/openai/gpt-4o-mini", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'

  import OpenAI from "openai";
  const client = new OpenAI({ baseURL: "${url}", apiKey: "sk-demo" });
  const completion = await client.chat.completions.create({
    model: "openrouter/openai/gpt-4o-mini",
    messages: [{ role: "user", content: "Hello" }],
  });
  console.log(completion.choices[0].message.content);

Leave out "stream" for a plain JSON response. The demo keeps keys and their usage until it ends:

  ${sluice} keys create --name bob --models 'google/*,*:free'
  ${sluice} usage --by key,model

${gateway}/docs describes the admin API. It needs an admin key: \`keys create --name ops --role admin\`.
Stop with Ctrl-C.
`;
}
