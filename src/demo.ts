import process from "node:process";
import { configOrExit, runGateway } from "./main.ts";
import { startSimulator } from "./mock/simulator.ts";

/**
 * A gateway and a simulated OpenRouter in one process, for a first look without an account: `npm run demo`.
 * Any key or none is accepted, since there is nothing to spend.
 */
const simulator = await startSimulator();
const config = configOrExit({
  LOG_LEVEL: "warn",
  ...process.env,
  OPENROUTER_API_KEY: "sk-or-simulated",
  OPENROUTER_BASE_URL: simulator.baseUrl,
  GATEWAY_API_KEYS: "demo:sk-demo",
  ALLOW_ANONYMOUS: "true",
});
const url = `${await runGateway(config)}/openai/v1`;

process.stdout.write(`
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
`);
