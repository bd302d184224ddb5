import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { GATEWAY_SCRIPT, buildGatewaySettings } from "./targets.ts";
import { Load, PLAIN } from "./load.ts";
import { spawnScript } from "./server-process.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

const RETRY_MS = 2;
const GIVE_UP_MS = 10_000;

/** Durations of several starts, in ms from the start of the process to its first chat completion response. */
interface Startups {
  /** Node compiles all modules. */
  readonly first: readonly number[];
  /** Node uses the compile cache that an earlier start has written. */
  readonly later: readonly number[];
}

export async function measureStartups(upstreamUrl: string, count: number): Promise<Startups> {
  const cacheSettings = { NODE_COMPILE_CACHE: createTemporaryDirectory() };
  // This start writes the compile cache.
  await measureStartup(upstreamUrl, cacheSettings);
  const first: number[] = [];
  const later: number[] = [];
  while (first.length < count) {
    first.push(await measureStartup(upstreamUrl, { NODE_DISABLE_COMPILE_CACHE: "1" }));
    later.push(await measureStartup(upstreamUrl, cacheSettings));
  }
  return { first, later };
}

async function measureStartup(upstreamUrl: string, settings: Record<string, string>): Promise<number> {
  // The port is chosen beforehand, because the log line with the port may be delayed in the log buffer.
  const port = await findFreePort();
  const load = new Load(`http://127.0.0.1:${port}/openai/v1`);
  const startedAt = performance.now();
  const child = spawnScript(GATEWAY_SCRIPT, {
    ...buildGatewaySettings(upstreamUrl, port),
    DRAIN_MS: "0",
    ...settings,
  });
  const ended = once(child, "exit");
  child.stdout?.resume();
  try {
    while (!(await load.run(PLAIN, 1).then(() => true, isNotListening))) {
      if (performance.now() - startedAt > GIVE_UP_MS)
        throw new Error(`the gateway did not respond within ${GIVE_UP_MS} ms`);
      await sleep(RETRY_MS);
    }
    return performance.now() - startedAt;
  } finally {
    await load.close();
    // Not SIGKILL: Node writes the compile cache when the process exits.
    child.kill("SIGTERM");
    await ended;
  }
}

/** @returns false for a refused connection; throws any other error. */
function isNotListening(error: NodeJS.ErrnoException): boolean {
  if (error.code !== "ECONNREFUSED") throw error;
  return false;
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
