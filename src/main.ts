import { existsSync } from "node:fs";
import process from "node:process";
import { type Config, ConfigError, loadConfig } from "./config.ts";
import { startGateway } from "./gateway.ts";
import { stopOnSignals } from "./lifecycle.ts";
import { createLogger } from "./logger.ts";

/** EX_CONFIG of sysexits.h: starting again will not help. */
const EXIT_CONFIG = 78;
const SECRETS = ["OPENROUTER_API_KEY", "GATEWAY_API_KEYS", "REDIS_URL"];

/** Runs the gateway as this process, told by its environment and, where there is one, the file `.env`. */
export async function main(): Promise<void> {
  if (existsSync(".env")) process.loadEnvFile(".env");
  await runGateway(configOrExit(process.env));
}

/**
 * Starts a gateway and lets signals end it.
 * @returns its URL; exits 1 with one line when it cannot listen.
 */
export async function runGateway(config: Config): Promise<string> {
  // Nothing that inspects the process later should find what is only needed now.
  for (const name of SECRETS) delete process.env[name];
  const logger = createLogger(config.logLevel);
  try {
    const gateway = await startGateway(config, logger);
    stopOnSignals(gateway, config, logger, process.env["npm_lifecycle_event"] !== undefined);
    logger.info(
      { url: `${gateway.url}/openai/v1`, upstream: config.upstream.baseUrl, node: process.version },
      "listening",
    );
    return gateway.url;
  } catch (error) {
    process.stderr.write(`sluice cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
    return process.exit(1);
  }
}

/** Reads the configuration; exits 78 with every mistake in it. */
export function configOrExit(environment: NodeJS.ProcessEnv): Config {
  try {
    return loadConfig(environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\nEach name is described in .env.example.\n`);
    return process.exit(EXIT_CONFIG);
  }
}
