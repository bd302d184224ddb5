import type { AddressInfo } from "node:net";
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

/** A gateway without a database, whose keys have limits. It does not need vitest. */
interface LimitedApp {
  readonly port: number;
  stop(): Promise<void>;
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

/**
 * Starts a gateway with these keys on a free port.
 * @param env settings, with the base URL of upstream. @param write receives the lines of the log.
 */
export async function startLimitedApp(
  keys: readonly CallerKey[],
  env: Record<string, string>,
  write: (line: string) => void,
): Promise<LimitedApp> {
  const logger = createLogger("debug", { write });
  // The keys of the environment make the secrets known, so that no request waits for a look-up.
  const secrets = keys.map(({ name }) => `${name}:sk-${name}`).join(",");
  const config = loadConfig({ OPENROUTER_API_KEY: "sk-or-account", GATEWAY_API_KEYS: secrets, ...env });
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
    metrics: undefined,
  };
  const app = await buildApp({ config, keys: store, upstream, logger, ...parts });
  await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    port: (app.server.address() as AddressInfo).port,
    async stop() {
      await app.close();
      redis?.close();
      await upstream.close();
    },
  };
}
