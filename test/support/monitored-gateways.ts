import { onTestFinished } from "vitest";
import type { Simulator } from "../../tools/simulator/simulator.ts";
import { ACCOUNT_KEY } from "./gateway.ts";
import { findFreePort } from "./ports.ts";
import { type Prometheus, startPrometheus } from "./prometheus.ts";
import { Replica } from "./replica.ts";
import { sendRequest, type TestRequest } from "./send-request.ts";
import { startTestSimulator } from "./simulator.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";
import { waitUntil } from "./wait.ts";

/** A gateway process whose metrics are scraped. */
export interface MonitoredGateway {
  readonly replica: Replica;
  readonly metricsUrl: string;
  /** Label `instance` of its series. */
  readonly instance: string;
  /** Sends a request with the key for clients, unless the request has another. */
  readonly call: (request?: TestRequest) => ReturnType<typeof sendRequest>;
}

/** Gateways that share a database, and a Prometheus that scrapes them. */
export interface MonitoredGateways {
  readonly simulator: Simulator;
  readonly gateways: readonly MonitoredGateway[];
  readonly prometheus: Prometheus;
  /** Secret of the key for the admin API. */
  readonly admin: string;
}

/**
 * Starts gateway processes in front of a simulator, and a Prometheus with the rules of `deploy/prometheus`. All stop when the
 * test ends.
 * @param env settings of the gateways, for example `DATABASE_URL`.
 */
export async function startMonitoredGateways(
  count: number,
  env: Readonly<Record<string, string>> = {},
): Promise<MonitoredGateways> {
  const simulator = await startTestSimulator({ generationDelayMs: 50 });
  const gateways: MonitoredGateway[] = [];
  let keys: { caller: string; admin: string } | undefined;
  for (let index = 0; index < count; index++) {
    const metricsPort = await findFreePort();
    const replica = new Replica(await findFreePort(), {
      OPENROUTER_API_KEY: ACCOUNT_KEY,
      OPENROUTER_BASE_URL: simulator.baseUrl,
      DATA_DIR: createTemporaryDirectory(),
      METRICS_PORT: String(metricsPort),
      METRICS_KEY_LABEL: "true",
      ACCOUNT_POLL_MS: "500",
      SETTLE_AFTER_MS: "50",
      DRAIN_MS: "0",
      SHUTDOWN_GRACE_MS: "0",
      ...env,
    });
    onTestFinished(() => replica.kill());
    await replica.start();
    keys ??= await waitUntil(() => readFirstKeys(replica.output), "the keys of the first start");
    const { caller } = keys;
    const instance = `127.0.0.1:${metricsPort}`;
    gateways.push({
      replica,
      metricsUrl: `http://${instance}/metrics`,
      instance,
      call: (request = {}) =>
        sendRequest(replica.port, {
          ...request,
          headers: { authorization: `Bearer ${caller}`, ...request.headers },
        }),
    });
  }
  const targets = gateways.map(({ instance }) => instance);
  const prometheus = await startPrometheus([{ job_name: "sluice", static_configs: [{ targets }] }]);
  await prometheus.waitForResult(`count(sluice_build_info) == ${count}`, "all gateways to be scraped");
  return { simulator, gateways, prometheus, admin: keys?.admin ?? "" };
}

/** Reads the two keys that a gateway prints at its first start. */
function readFirstKeys(output: string): { caller: string; admin: string } | undefined {
  const [, caller] = /for clients: +(\S+)/.exec(output) ?? [];
  const [, admin] = /for the admin API: +(\S+)/.exec(output) ?? [];
  return caller === undefined || admin === undefined ? undefined : { caller, admin };
}
