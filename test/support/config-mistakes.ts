import { ConfigError, loadConfig } from "../../src/config/config.ts";

/** Lists the mistakes in a configuration; none if it is valid. */
export function listMistakes(environment: Record<string, string>): readonly string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}
