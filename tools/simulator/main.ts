// `npm run mock` runs the simulator as a separate process, for demos, benchmarks and tests without a network.
import { parseArgs } from "node:util";
import { onParentExit } from "../../src/parent-exit.ts";
import { describeBehaviours } from "./behaviour.ts";
import { type Simulator, startSimulator } from "./simulator.ts";

const USAGE = `npm run mock -- [--port 9180] [--host 127.0.0.1] [--generation-delay-ms 2000] [--keep-seen 1000]

Responds as OpenRouter does. A model named sim/... selects another behaviour:`;

const DEFAULT_PORT = "9180";
// EX_CONFIG of sysexits.h, which the gateway also uses for an invalid configuration.
const BAD_CONFIGURATION = 78;

async function start(): Promise<Simulator | undefined> {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: DEFAULT_PORT },
      host: { type: "string", default: "127.0.0.1" },
      "generation-delay-ms": { type: "string", default: "2000" },
      "keep-seen": { type: "string", default: "1000" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n${describeBehaviours()}\n`);
    return undefined;
  }
  const port = wholeNumber("--port", values.port);
  const generationDelayMs = wholeNumber("--generation-delay-ms", values["generation-delay-ms"]);
  const keepSeen = wholeNumber("--keep-seen", values["keep-seen"]);
  return startSimulator({ host: values.host, port, generationDelayMs, keepSeen });
}

function wholeNumber(flag: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`${flag} must be a whole number, not "${text}"`);
  return Number(text);
}

function announce(simulator: Simulator): void {
  const { baseUrl } = simulator;
  process.stdout.write(
    `OpenRouter simulator at ${baseUrl}: start the gateway with OPENROUTER_BASE_URL=${baseUrl}, or give a client this base URL and any key.\n`,
  );
  // Exits explicitly, because responses that are slow on purpose would keep the process alive.
  const stop = (): void => void simulator.close().then(() => process.exit());
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop);
  if (process.env["npm_lifecycle_event"] !== undefined) onParentExit(stop);
}

try {
  const simulator = await start();
  if (simulator) announce(simulator);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = BAD_CONFIGURATION;
}
