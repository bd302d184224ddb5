import { ConfigError, loadConfig } from "../../src/config/config.ts";

/** @returns the mistakes in a configuration; an empty list if the configuration is valid. */
export function listMistakes(environment: Record<string, string>): readonly string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}
