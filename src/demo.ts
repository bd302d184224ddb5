import process from "node:process";
import { runGateway } from "./main.ts";
import { startSimulator } from "./mock/simulator.ts";

/**
 * Runs a gateway and a simulated OpenRouter as this process, for a first look without an account: `npm run demo`.
 * Any key or none is accepted, since there is nothing to spend.
 * @param environment what the operator has set, such as `PORT`; the account and its keys are the demo's own.
 */
export async function runDemo(environment: NodeJS.ProcessEnv): Promise<void> {
  const simulator = await startSimulator();
  environment["LOG_LEVEL"] ??= "warn";
  const url = await runGateway(environment, {
    OPENROUTER_API_KEY: "sk-or-simulated",
    OPENROUTER_BASE_URL: simulator.baseUrl,
    GATEWAY_API_KEYS: "demo:sk-demo",
    ALLOW_ANONYMOUS: "true",
  });
  process.stdout.write(welcome(`${url}/openai/v1`));
}

/** What the demo prints: a command and a program that work as pasted, which is why the program logs to a console. */
function welcome(url: string): string {
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

Leave out "stream" for a plain answer. Stop with Ctrl-C.
`;
}
