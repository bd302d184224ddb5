import { existsSync } from "node:fs";
import type { Config } from "../config/config.ts";
import type { EnvironmentRecord } from "../config/sources.ts";
import { isAlive } from "../health-check.ts";
import { ok, type Result, skipped, warning } from "./finding.ts";

/** Load balancers close idle connections after 60 s, and the gateway must not close them first. */
const BALANCER_IDLE_MS = 60_000;
const CONTAINER_FILES = ["/.dockerenv", "/run/.containerenv"];

/** Whether this process runs in a container. */
export function isInContainer(environment: EnvironmentRecord): boolean {
  return (
    environment["KUBERNETES_SERVICE_HOST"] !== undefined || CONTAINER_FILES.some((path) => existsSync(path))
  );
}

/** Whether only processes of the same machine or container can connect to an address or host name. */
function isLoopback(host: string): boolean {
  return /^(?:127\.|localhost$|::1$)/.test(host);
}

/** Looks for valid settings that are surprising together. */
export function checkSettings(config: Config, inContainer: boolean): Result[] {
  const found = [
    ...checkListeners(config, inContainer),
    ...checkKeepAlive(config),
    ...checkPersistence(config),
  ];
  return found.length > 0 ? found : [ok("No settings are surprising together.")];
}

function checkListeners(
  { host, metrics, allowAnonymous, openrouterApiKey }: Config,
  inContainer: boolean,
): Result[] {
  const results: Result[] = [];
  if (inContainer && isLoopback(host))
    results.push(
      warning(
        `HOST is ${host} in a container: only processes in the same container can reach the gateway.`,
        "Set HOST=0.0.0.0, and publish the port only where clients are.",
      ),
    );
  if (allowAnonymous && openrouterApiKey !== undefined && !isLoopback(host))
    results.push(
      warning(
        `ALLOW_ANONYMOUS is true and HOST is ${host}: everyone who can reach the port spends the account's money.`,
        "Remove ALLOW_ANONYMOUS and create keys, or set HOST=127.0.0.1.",
      ),
    );
  if (metrics && !isLoopback(metrics.host))
    results.push(
      warning(
        `METRICS_HOST is ${metrics.host}, and the metrics need no key: everyone who can reach port ${metrics.port} reads usage and costs${metrics.keyLabel ? " of each key by name" : ""}.`,
        "Set METRICS_HOST to an address of a private network, or allow only Prometheus in the firewall or the network policy.",
      ),
    );
  return results;
}

function checkKeepAlive({ keepAliveTimeoutMs }: Config): Result[] {
  if (keepAliveTimeoutMs > BALANCER_IDLE_MS) return [];
  return [
    warning(
      `KEEP_ALIVE_TIMEOUT_MS is ${keepAliveTimeoutMs}: a load balancer that keeps idle connections for 60 s sends requests over connections that the gateway is closing, and clients get 502.`,
      "Set KEEP_ALIVE_TIMEOUT_MS=75000, or make the load balancer close idle connections earlier.",
    ),
  ];
}

function checkPersistence({ store }: Config): Result[] {
  if (store?.databaseUrl === undefined || store.isDataDirPersistent) return [];
  return [
    warning(
      "DATABASE_URL is set and DATA_DIR_PERSISTENT is not true: the journal of a killed gateway is presumed lost, and its requests without a known generation become unknown.",
      "If DATA_DIR is on a volume that the next gateway mounts, set DATA_DIR_PERSISTENT=true. Without such a volume, nothing needs to change.",
    ),
  ];
}

/** Reports whether the gateway of this configuration runs on this machine. */
export async function checkGateway(
  environment: EnvironmentRecord,
  { host, port }: Config,
): Promise<Result[]> {
  if (port === 0) return [skipped("PORT is 0, so that doctor does not know where the gateway listens.")];
  const place = `${host}:${port}`;
  return [
    (await isAlive(environment))
      ? ok(`A gateway runs at ${place}.`)
      : skipped(`No gateway responds at ${place}: it does not run, or it is in another container.`),
  ];
}
