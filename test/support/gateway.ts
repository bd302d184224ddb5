import { onTestFinished } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { waitUntil } from "./wait.ts";

export const ACCOUNT_KEY = "sk-or-account-0123456789";
export const CALLER_KEY = "sk-caller-0123456789";

export type LogRecord = Readonly<Record<string, unknown>>;

export interface TestGateway extends Gateway {
  readonly port: number;
  /** All log lines so far, parsed. */
  readonly logs: readonly LogRecord[];
  /** Waits for the log line of a request. */
  waitForRequestLog(label: string, matches?: (record: LogRecord) => boolean): Promise<LogRecord>;
}

/**
 * Starts a gateway on a free port, with an account key, in front of `upstreamBaseUrl`. It stops when the test ends.
 * @param env settings that are added or replaced; undefined removes a setting.
 */
export async function startTestGateway(
  upstreamBaseUrl: string,
  env: Record<string, string | undefined> = {},
): Promise<TestGateway> {
  const logs: LogRecord[] = [];
  const write = (line: string): void => void logs.push(JSON.parse(line) as LogRecord);
  const config = loadConfig({
    PORT: "0",
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
    OPENROUTER_BASE_URL: upstreamBaseUrl,
    ...env,
  });
  const gateway = await startGateway(config, createLogger("debug", { write }));
  let stopped: Promise<void> | undefined;
  const stop = (options: { delayMs: number; graceMs: number }): Promise<void> =>
    (stopped ??= gateway.stop(options));
  onTestFinished(() => stop({ delayMs: 0, graceMs: 0 }));
  return {
    url: gateway.url,
    metricsUrl: gateway.metricsUrl,
    port: Number(new URL(gateway.url).port),
    logs,
    stop,
    waitForRequestLog: (label, matches = () => true) =>
      waitUntil(
        () => logs.find((record) => record["msg"] === "request" && matches(record)),
        `the log line of ${label}`,
      ),
  };
}
