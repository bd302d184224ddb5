import { resolve } from "node:path";
import process from "node:process";
import type { FirstKeys } from "./persistence.ts";
import { type Config, ConfigError, loadConfig } from "./config/config.ts";
import { PROXY_NAMES, SECRET_NAMES } from "./config/sources.ts";
import { startGateway } from "./gateway.ts";
import { applyNextTickWorkaround } from "./next-tick-workaround.ts";
import { stopOnSignals } from "./lifecycle.ts";
import { LogOutput } from "./observability/log-output.ts";
import { createLogger } from "./observability/logger.ts";

/** `EX_CONFIG` of sysexits.h: a restart does not help. */
const EXIT_CONFIG = 78;

/**
 * Starts a gateway in this process; it runs until a signal stops it. If the configuration is invalid, prints every problem
 * to standard error and exits with code 78. If the gateway cannot start, prints one line and exits with code 1.
 * @param environment the operator's settings; secrets are deleted from it once they have been read.
 * @param fixed settings that override the operator's.
 * @returns the URL of the gateway.
 */
export async function runGateway(
  environment: NodeJS.ProcessEnv,
  fixed: Readonly<Record<string, string>>,
): Promise<string> {
  applyNextTickWorkaround();
  // Standard error may be closed, or a file on a full disk: a failed write must not end the process.
  process.stderr.on("error", () => {});
  const config = loadConfigOrExit({ ...environment, ...fixed });
  const underNpm = environment["npm_lifecycle_event"] !== undefined;
  // `config` has these values now. They are deleted here so that nobody can read them from the environment of the process.
  for (const name of [...SECRET_NAMES, ...PROXY_NAMES]) {
    delete environment[name];
    delete environment[name.toLowerCase()];
  }
  const logOutput = new LogOutput();
  const logger = createLogger(config.logLevel, logOutput);
  try {
    const gateway = await startGateway(config, logger, showFirstKeys, logOutput);
    stopOnSignals(gateway, config, logger, underNpm);
    logger.info(
      { url: `${gateway.url}/openai/v1`, ...summarizeConfig(config), node: process.version },
      "server: listening",
    );
    return gateway.url;
  } catch (error) {
    process.stderr.write(`sluice cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
    return process.exit(1);
  }
}

/** Returns the settings to log at startup: a wrong value of one of them sends requests or costs to the wrong place. */
function summarizeConfig({ openrouterApiKey, store, upstream }: Config): Record<string, unknown> {
  return {
    mode:
      openrouterApiKey === undefined
        ? "own keys: clients send their own OpenRouter keys, because OPENROUTER_API_KEY is not set"
        : "account: clients send keys of this gateway",
    store: store && (store.databaseUrl === undefined ? resolve(store.dataDir) : "DATABASE_URL"),
    upstream: upstream.baseUrl,
    // Logs only the host, because the URL can contain a password.
    proxy: upstream.proxyUrl && new URL(upstream.proxyUrl).host,
  };
}

/** Prints the first keys to standard error, and not to the log, because logs are stored. */
function showFirstKeys({ admin, caller }: FirstKeys): void {
  process.stderr.write(`
Created two keys, because there were none. Copy them now: they are not shown again, and only their digests are stored.

  for clients:       ${caller.secret}
  for the admin API: ${admin.secret}

`);
}

function loadConfigOrExit(record: Readonly<Record<string, string | undefined>>): Config {
  try {
    return loadConfig(record);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n.env.example describes every setting.\n`);
    return process.exit(EXIT_CONFIG);
  }
}
