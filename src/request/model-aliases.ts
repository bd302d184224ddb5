import { normalizeModelId } from "./model-id.ts";

/** Model ids by alias. The ids are in OpenRouter's spelling, without the optional prefix. */
export type ModelAliases = ReadonlyMap<string, string>;

export const NO_ALIASES: ModelAliases = new Map();

/**
 * Returns the model id to forward: the target of an alias, or the id itself, without the optional prefix.
 * @param id a model id as the client wrote it. An alias may have the optional prefix only if it contains a slash.
 */
export function resolveModelId(id: string, aliases: ModelAliases): string {
  const normalized = normalizeModelId(id);
  return aliases.get(normalized) ?? normalized;
}
