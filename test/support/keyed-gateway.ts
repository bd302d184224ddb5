import { startGateway } from "../../src/gateway.ts";
import { loadConfig } from "../../src/config/config.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { onTestFinished } from "vitest";
import type { FirstKeys } from "../../src/persistence.ts";
import { sendRequest, type TestRequest } from "./send-request.ts";
import { ACCOUNT_KEY } from "./gateway.ts";
import { createDataDirectory } from "./test-database.ts";

/** A response of the admin API. */
export interface AdminResponse {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- parsed JSON that each test asserts
  readonly body: any;
}

/** A gateway with stored keys and a ledger, and the two keys of its first start. */
export interface KeyedGateway {
  readonly port: number;
  /** URL of the metrics; undefined without `METRICS_PORT`. */
  readonly metricsUrl: string | undefined;
  readonly dataDir: string;
  readonly caller: string;
  readonly admin: string;
  /** Returns the log so far. */
  readonly readLog: () => string;
  stop(): Promise<void>;
  /** Sends a request to the admin API with the admin key. @returns the status and the parsed body. */
  callAdmin(method: string, path: string, body?: unknown): Promise<AdminResponse>;
  /** Sends a chat completion with a gateway key. */
  call(secret: string, request?: TestRequest): ReturnType<typeof sendRequest>;
}

/** Starts a gateway in front of an upstream, on a free port. It stops when the test ends. */
export async function startKeyedGateway(
  upstreamBaseUrl: string,
  env: Record<string, string> = {},
): Promise<KeyedGateway> {
  const dataDir = env["DATA_DIR"] ?? (await createDataDirectory());
  const config = loadConfig({
    PORT: "0",
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    OPENROUTER_BASE_URL: upstreamBaseUrl,
    SETTLE_AFTER_MS: "50",
    DATA_DIR: dataDir,
    ...env,
  });
  let log = "";
  let first: FirstKeys | undefined;
  const logger = createLogger("debug", { write: (line: string) => void (log += line) });
  const gateway = await startGateway(config, logger, (keys) => (first = keys));
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= gateway.stop({ delayMs: 0, graceMs: 0 }));
  onTestFinished(stop);
  const port = Number(new URL(gateway.url).port);
  const caller = first?.caller.secret ?? "";
  const admin = first?.admin.secret ?? "";
  return {
    port,
    metricsUrl: gateway.metricsUrl,
    dataDir,
    caller,
    admin,
    readLog: () => log,
    stop,
    async callAdmin(method, path, body) {
      const headers = { authorization: `Bearer ${admin}` };
      const text = body === undefined ? "" : JSON.stringify(body);
      const response = await sendRequest(port, { method, path: `/admin/v1${path}`, headers, body: text });
      const json = String(response.headers["content-type"]).startsWith("application/json");
      return {
        status: response.status,
        body: json ? JSON.parse(response.body.toString()) : response.body.toString(),
      };
    },
    call: (secret, request = {}) =>
      sendRequest(port, { ...request, headers: { ...request.headers, authorization: `Bearer ${secret}` } }),
  };
}
