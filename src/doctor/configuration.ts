import { type Config, ConfigError, loadConfig } from "../config/config.ts";
import type { EnvironmentRecord } from "../config/sources.ts";
import { failed, ok, type Result } from "./finding.ts";

/**
 * Takes the place of an OPENROUTER_API_KEY with a mistake. Without a key, the configuration would be that of another mode, which
 * has no database.
 */
export const UNKNOWN_KEY = "sk-or-unknown";

/** The configuration as far as it can be used. */
export interface CheckedConfig {
  /** undefined if it cannot be used at all. */
  readonly config: Config | undefined;
  /** Names of the variables with mistakes. `config` is that without these variables. */
  readonly invalid: ReadonlySet<string>;
  readonly results: readonly Result[];
}

/** Matches the names of variables in a mistake. */
const NAME = /\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|^(?:HOST|PORT)\b/g;

/**
 * Loads the configuration. If it has mistakes, each of them is a finding, and the other checks use the configuration without
 * the variables that the mistakes name.
 */
export function checkConfiguration(environment: EnvironmentRecord): CheckedConfig {
  try {
    const config = loadConfig(environment);
    return { config, invalid: new Set(), results: [ok(describeMode(config))] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const invalid = new Set(error.mistakes.flatMap((mistake) => mistake.match(NAME) ?? []));
    const results = error.mistakes.map((mistake) =>
      failed(
        `${mistake}.`,
        "Correct this setting; .env.example and docs/configuration.md describe every setting.",
      ),
    );
    return { config: loadWithout(environment, invalid), invalid, results };
  }
}

function loadWithout(environment: EnvironmentRecord, names: ReadonlySet<string>): Config | undefined {
  // A mistake in a text that was read from a file names the variable of the text.
  const isValid = (name: string): boolean => !names.has(name) && !names.has(name.replace(/_FILE$/, ""));
  const entries = Object.entries(environment);
  const valid = entries.filter(([name]) => isValid(name.toUpperCase()));
  const hasUnknownKey = entries.some(
    ([name, value]) => /^OPENROUTER_API_KEY(?:_FILE)?$/.test(name) && value && !isValid(name),
  );
  try {
    return loadConfig({
      ...Object.fromEntries(valid),
      ...(hasUnknownKey && { OPENROUTER_API_KEY: UNKNOWN_KEY, OPENROUTER_API_KEY_FILE: undefined }),
    });
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

function describeMode({ openrouterApiKey, store, redisUrl }: Config): string {
  if (openrouterApiKey === undefined)
    return "The configuration is valid. Clients send their own OpenRouter keys, because OPENROUTER_API_KEY is not set.";
  const database =
    store === undefined ? "no database" : store.databaseUrl === undefined ? "SQLite" : "PostgreSQL";
  return `The configuration is valid: clients send keys of the gateway, which has ${database} and ${redisUrl === undefined ? "no Redis" : "Redis"}.`;
}
