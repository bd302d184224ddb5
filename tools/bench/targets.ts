import type { BenchTarget } from "./compare.ts";
import { GATEWAY_KEY, Load } from "./load.ts";
import { startServer } from "./server-process.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

export const GATEWAY_SCRIPT: URL = new URL("../../src/server.ts", import.meta.url);

/** The gateway's environment as operators have it: keys, a limit that counts every request, a log line for each. */
export function buildGatewaySettings(upstreamUrl: string, port = 0): Record<string, string> {
  return {
    PORT: String(port),
    OPENROUTER_BASE_URL: upstreamUrl,
    OPENROUTER_API_KEY: "sk-or-v1-bench",
    GATEWAY_API_KEYS: GATEWAY_KEY,
    RATE_LIMIT_MAX: "1000000000",
    LOG_LEVEL: "info",
  };
}

/** Starts the stand-in for OpenRouter. @returns its base URL. */
export async function startUpstream(): Promise<string> {
  const { url } = await startServer(new URL("./upstream.ts", import.meta.url), {});
  return url;
}

export async function startGateway(upstreamUrl: string): Promise<BenchTarget> {
  return startTarget(GATEWAY_SCRIPT, buildGatewaySettings(upstreamUrl));
}

/** The same, with a ledger in a directory of its own. */
export async function startMeteringGateway(upstreamUrl: string): Promise<BenchTarget> {
  return startTarget(GATEWAY_SCRIPT, {
    ...buildGatewaySettings(upstreamUrl),
    DATA_DIR: createTemporaryDirectory(),
  });
}

export async function startBaseline(upstreamUrl: string): Promise<BenchTarget> {
  return startTarget(new URL("./baseline.ts", import.meta.url), { UPSTREAM_URL: upstreamUrl });
}

async function startTarget(script: URL, settings: Record<string, string>): Promise<BenchTarget> {
  const server = await startServer(script, settings);
  return { server, load: new Load(server.url) };
}
