import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { SECRET_NAMES } from "./config/sources.ts";
import { LiveTraffic } from "./demo/live-traffic.ts";
import { readModelFacts } from "./demo/model-facts.ts";
import { writeHistory } from "./demo/write-history.ts";
import { runGateway } from "./main.ts";
import { startSimulator } from "../tools/simulator/simulator.ts";

const LOCAL_PAGES = ["localhost", "127.0.0.1", "[::1]"]
  .flatMap((host) => [`http://${host}:*`, `https://${host}:*`])
  .join();

/** After Ctrl-C, responses of the simulator have this long to end. */
const SIMULATOR_GRACE_MS = 500;

/**
 * Runs a gateway and a simulated OpenRouter in this process (`npm run demo`), to try Sluice without an account. The gateway
 * accepts any key, or none, because requests cost nothing. Its ledger has a week of requests of fictional applications, which
 * send further requests while the demo runs.
 * @param environment the operator's settings, such as `PORT`; the demo overrides the account and its keys.
 */
export async function runDemo(environment: NodeJS.ProcessEnv): Promise<void> {
  const traffic = new LiveTraffic();
  const simulator = await startSimulator({
    chooseBehaviour: (headers) => traffic.takeBehaviour(headers["x-session-id"]),
  });
  // Some requests of the demo fail on purpose. At the level "warn", each of them would be logged.
  environment["LOG_LEVEL"] ??= "error";
  // Lets pages under development on this machine call the demo.
  environment["CORS_ORIGINS"] ||= LOCAL_PAGES;
  // The simulator's generations end with the process, so the keys and the ledger are deleted then as well.
  const directory = mkdtempSync(join(tmpdir(), "sluice-demo-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const keys = await writeHistory(directory, await readModelFacts(simulator.baseUrl), Date.now());
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
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      traffic.stop();
      // Otherwise Ctrl-C would wait for streams that the gateway must read to their end, for up to `SHUTDOWN_GRACE_MS`.
      setTimeout(() => void simulator.close(), SIMULATOR_GRACE_MS).unref();
    });
  traffic.start(url, keys.callers);
  process.stdout.on("error", () => {});
  process.stdout.write(welcome({ gateway: url, directory, adminSecret: keys.adminSecret }));
}

interface Demo {
  /** URL of the gateway. */
  readonly gateway: string;
  readonly directory: string;
  readonly adminSecret: string;
}

/** Returns the demo's greeting. Users can paste its commands and its program unchanged. */
function welcome({ gateway, directory, adminSecret }: Demo): string {
  const url = `${gateway}/openai/v1`;
  // Every variable is set here, because the command also reads a `.env` file.
  const sluice = `OPENROUTER_API_KEY=sk-or-simulated DATABASE_URL= DATA_DIR_PERSISTENT= DATA_DIR=${directory} npm run sluice --`;
  return `
Sluice is listening at ${url}, in front of a simulated OpenRouter. Nothing leaves this machine.

  Dashboard:  ${gateway}/dashboard
  Admin key:  ${adminSecret}

A week of requests of fictional applications is in the ledger. They send about one request per second for five minutes, then
about one every eight seconds. Send your own:

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

Without "stream", the response is one JSON document. Keys and their usage are kept until the demo ends:

  ${sluice} keys create --name bob --models 'google/*,*:free'
  ${sluice} usage --by key,model

${gateway}/docs documents the admin API, for which the admin key is valid too.
Press Ctrl-C to stop.
`;
}
