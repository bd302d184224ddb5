import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { GATEWAY_SCRIPT, gatewaySettings } from "./contestants.ts";
import { Load, PLAIN } from "./load.ts";
import { spawnScript } from "./server-process.ts";

const RETRY_MS = 2;
const GIVE_UP_MS = 10_000;

/** Measures the time from starting the gateway's process to its first answer to a chat completion, in ms. */
export async function measureStartup(upstreamUrl: string): Promise<number> {
  // A port chosen beforehand: the line that would tell it may wait for others in the log's buffer.
  const port = await freePort();
  const load = new Load(`http://127.0.0.1:${port}/openai/v1`);
  const startedAt = performance.now();
  const child = spawnScript(GATEWAY_SCRIPT, gatewaySettings(upstreamUrl, port));
  child.stdout?.resume();
  try {
    while (!(await load.run(PLAIN, 1).then(() => true, isNotListening))) {
      if (performance.now() - startedAt > GIVE_UP_MS) throw new Error("the gateway does not start");
      await sleep(RETRY_MS);
    }
    return performance.now() - startedAt;
  } finally {
    child.kill("SIGKILL");
    await load.close();
  }
}

/** @returns false for a refused connection; throws any other error. */
function isNotListening(error: NodeJS.ErrnoException): boolean {
  if (error.code !== "ECONNREFUSED") throw error;
  return false;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
