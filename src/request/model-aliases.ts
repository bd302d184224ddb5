import { normalizeModelId } from "./model-id.ts";
import { MODEL_NAME_MAX_CHARACTERS } from "./model-limits.ts";

/** Model ids by alias. The ids are in OpenRouter's spelling, without the optional prefix. */
export type ModelAliases = ReadonlyMap<string, string>;

export const NO_ALIASES: ModelAliases = new Map();

/** Maximum number of aliases of a gateway, and of a key. */
export const ALIASES_MAX = 100;

/** The first character is a letter or digit, so that a name is neither a path such as `..` nor `__proto__`. */
const NAME = /^[A-Za-z\d][\w.-]{0,63}$/;
/** Marks of model ids: `author/slug`, `:variant` and `@preset/slug`. */
const ID_MARK = /[/:@]/;
/** `author/slug` with variants and a preset, or a preset alone. JSON needs no escapes for these characters. */
const TARGET = /^(?:@preset\/|~?[\w.-]+\/)[\w.-]+(?:[:@][\w./:@-]+)?$/;

/**
 * Finds the mistake in an alias. A name has none of the marks of model ids, and a target has a slash. Therefore no alias
 * hides a model of OpenRouter, and no alias is the target of another one.
 * @param target as the operator wrote it, with or without the optional prefix.
 * @returns the end of a sentence whose subject is the alias; undefined if it is valid.
 */
export function findAliasMistake(name: string, target: string): string | undefined {
  if (ID_MARK.test(name))
    return "must have a name without '/', ':' and '@', because a name with them could hide a model of OpenRouter";
  if (!NAME.test(name))
    return "must have a name of up to 64 letters, digits, '.', '_' or '-' that begins with a letter or digit";
  if (target.length > MODEL_NAME_MAX_CHARACTERS || !TARGET.test(normalizeModelId(target)))
    return `must name a model id of up to ${MODEL_NAME_MAX_CHARACTERS} characters, such as google/gemini-3-flash-preview, and not another alias`;
  return undefined;
}

/**
 * Returns the model id to forward: the target of an alias, or the id itself, without the optional prefix.
 * @param id a model id as the client wrote it. Only a whole id can be an alias: `fast:nitro` and `openrouter/fast` are none.
 * @param aliases those of the gateway. @param own those of the client's key, which take precedence.
 */
export function resolveModelId(id: string, aliases: ModelAliases, own = NO_ALIASES): string {
  const normalized = normalizeModelId(id);
  return own.get(normalized) ?? aliases.get(normalized) ?? normalized;
}

/** Returns all aliases that a client may name: those of the gateway, and those of its key, which take precedence. */
export function mergeAliases(aliases: ModelAliases, own = NO_ALIASES): ModelAliases {
  if (own.size === 0) return aliases;
  return aliases.size === 0 ? own : new Map([...aliases, ...own]);
}
