import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { buildApp } from "../../src/app.ts";
import type { CallerKey } from "../../src/auth/caller-key.ts";
import type { KeyStore } from "../../src/auth/key-store.ts";
import { loadConfig } from "../../src/config/config.ts";
import { openRedis } from "../../src/gateway.ts";
import { ShutdownState } from "../../src/http/shutdown.ts";
import { digestSecret } from "../../src/key-secret.ts";
import { InFlight } from "../../src/limits/in-flight.ts";
import { type KeyGroup, type LimitSettings, NO_LIMITS, UNLIMITED } from "../../src/limits/limit-settings.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import { connectUpstream } from "../../src/upstream/openrouter.ts";
import { ACCOUNT_KEY, type LogRecord } from "./gateway.ts";
import type { RawResponse } from "./raw-client.ts";
import { sendRequest, type TestRequest } from "./send-request.ts";
import { waitUntil } from "./wait.ts";

/** A gateway whose keys have limits. */
export interface LimitedGateway {
  readonly port: number;
  readonly logs: readonly LogRecord[];
  /** Sends a chat completion with the key of this name. */
  call(name: string, request?: TestRequest): Promise<RawResponse>;
  /** Whether Redis is connected. */
  isReady(): Promise<boolean>;
}

/** Creates a group of keys with these limits. */
export function createGroup(id: string, limits: Partial<LimitSettings>): KeyGroup {
  return { id, name: id, limits: { ...NO_LIMITS, ...limits }, limitsChangedAt: 0 };
}

/** Creates a key whose secret is `sk-` and its name. */
export function createLimitedKey(
  name: string,
  limits: Partial<LimitSettings>,
  group: KeyGroup | null = null,
): CallerKey {
  const base = { id: `key_${name}`, name, role: "caller", models: null, aliases: NO_ALIASES } as const;
  return { ...base, onDisconnect: "cancel", ...UNLIMITED, limits: { ...NO_LIMITS, ...limits }, group };
}

/** Returns the `Authorization` header of a key. */
export const authorize = (name: string): { authorization: string } => ({
  authorization: `Bearer sk-${name}`,
});

/** Starts a gateway with these keys in front of an upstream, on a free port. It stops when the test ends. */
export async function startLimitedGateway(
  upstreamBaseUrl: string,
  keys: readonly CallerKey[],
  env: Record<string, string> = {},
): Promise<LimitedGateway> {
  const logs: LogRecord[] = [];
  const logger = createLogger("debug", {
    write: (line: string) => void logs.push(JSON.parse(line) as LogRecord),
  });
  // The keys of the environment are not used, but their secrets are known, so that no request waits for a look-up.
  const secrets = keys.map(({ name }) => `${name}:sk-${name}`).join(",");
  const config = loadConfig({
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    GATEWAY_API_KEYS: secrets,
    OPENROUTER_BASE_URL: upstreamBaseUrl,
    ...env,
  });
  const byDigest = new Map(keys.map((key) => [digestSecret(`sk-${key.name}`).toString("hex"), key]));
  const store: KeyStore = { find: (digest) => byDigest.get(digest.toString("hex")) };
  const upstream = connectUpstream(config.upstream);
  const redis = await openRedis(config, logger);
  const parts = {
    persistence: undefined,
    account: undefined,
    redis,
    shutdown: new ShutdownState(),
    inFlight: new InFlight(512),
  };
  const app = await buildApp({ config, keys: store, upstream, logger, ...parts });
  await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(async () => {
    await app.close();
    redis?.close();
    await upstream.close();
  });
  const { port } = app.server.address() as AddressInfo;
  const gateway: LimitedGateway = {
    port,
    logs,
    call: (name, request = {}) =>
      sendRequest(port, { ...request, headers: { ...authorize(name), ...request.headers } }),
    isReady: async () => {
      const { body } = await sendRequest(port, { method: "GET", path: "/readyz", body: "" });
      return (JSON.parse(body.toString()) as { status: string }).status === "ready";
    },
  };
  if (env["REDIS_URL"]) await waitUntil(() => gateway.isReady(), "Redis to be connected");
  return gateway;
}
