import { resolve } from "node:path";
import process from "node:process";
import type { FirstKeys } from "./persistence.ts";
import { type Config, ConfigError, loadConfig } from "./config/config.ts";
import { PROXY_NAMES, SECRET_NAMES } from "./config/sources.ts";
import { startGateway } from "./gateway.ts";
import { applyNextTickWorkaround } from "./next-tick-workaround.ts";
import { stopOnSignals } from "./lifecycle.ts";
import { createLogger } from "./observability/logger.ts";

/** EX_CONFIG of sysexits.h: starting again will not help. */
const EXIT_CONFIG = 78;

/**
 * Runs a gateway as this process and lets signals end it. Exits 78 with every mistake of the configuration, and 1 with
 * one line when it cannot listen.
 * @param environment what the operator has set; secrets are taken out of it when they have been read.
 * @param fixed what stands whatever the operator has set.
 * @returns its URL.
 */
export async function runGateway(
  environment: NodeJS.ProcessEnv,
  fixed: Readonly<Record<string, string>>,
): Promise<string> {
  applyNextTickWorkaround();
  // Standard error may be a full disk or closed: what is said there can be lost, and must not end the process.
  process.stderr.on("error", () => {});
  const config = loadConfigOrExit({ ...environment, ...fixed });
  const underNpm = environment["npm_lifecycle_event"] !== undefined;
  // Nothing that inspects the process later should find what is only needed now.
  for (const name of [...SECRET_NAMES, ...PROXY_NAMES]) {
    delete environment[name];
    delete environment[name.toLowerCase()];
  }
  const logger = createLogger(config.logLevel);
  try {
    const gateway = await startGateway(config, logger, showFirstKeys);
    stopOnSignals(gateway, config, logger, underNpm);
    logger.info(
      { url: `${gateway.url}/openai/v1`, ...summarizeConfig(config), node: process.version },
      "listening",
    );
    return gateway.url;
  } catch (error) {
    process.stderr.write(`sluice cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
    return process.exit(1);
  }
}

/** What an operator should see at once, because requests and money depend on it. */
function summarizeConfig({ openrouterApiKey, store, upstream }: Config): Record<string, unknown> {
  return {
    mode:
      openrouterApiKey === undefined
        ? "own keys: clients send their own OpenRouter keys, because OPENROUTER_API_KEY is not set"
        : "account: clients send keys of this gateway",
    store: store && (store.databaseUrl === undefined ? resolve(store.dataDir) : "DATABASE_URL"),
    upstream: upstream.baseUrl,
    // The host alone: the URL can have a password.
    proxy: upstream.proxyUrl && new URL(upstream.proxyUrl).host,
  };
}

/** Said to the person at the terminal, once: not in the log, which is kept. */
function showFirstKeys({ admin, caller }: FirstKeys): void {
  process.stderr.write(`
These two keys were made because there were none. They are shown this once; only their digests are kept.

  for callers:       ${caller.secret}
  for the admin API: ${admin.secret}

`);
}

function loadConfigOrExit(record: Readonly<Record<string, string | undefined>>): Config {
  try {
    return loadConfig(record);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\nEach name is described in .env.example.\n`);
    return process.exit(EXIT_CONFIG);
  }
}
