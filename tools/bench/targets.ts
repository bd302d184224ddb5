import type { BenchTarget } from "./compare.ts";
import { GATEWAY_KEY, Load } from "./load.ts";
import { startServer } from "./server-process.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

export const GATEWAY_SCRIPT: URL = new URL("../../src/server.ts", import.meta.url);

/** An environment as in production: gateway keys, a rate limit, and a log line for each request. */
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

/** Starts the benchmark's upstream. @returns its base URL. */
export async function startUpstream(): Promise<string> {
  const { url } = await startServer(new URL("./upstream.ts", import.meta.url), {});
  return url;
}

export async function startGateway(upstreamUrl: string): Promise<BenchTarget> {
  return startTarget(GATEWAY_SCRIPT, buildGatewaySettings(upstreamUrl));
}

/** The same, with metrics that nobody scrapes. */
export async function startMeasuredGateway(upstreamUrl: string): Promise<BenchTarget> {
  return startTarget(GATEWAY_SCRIPT, { ...buildGatewaySettings(upstreamUrl), METRICS_PORT: "0" });
}

/** The same, with a ledger in its own directory. */
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
