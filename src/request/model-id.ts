const PREFIX = "openrouter/";
const PRESET = "@preset/";
/** Matches an id that starts with `author/slug`, followed by `:`, `@` or the end. */
const AUTHOR_AND_SLUG = /^[^:@/]+\/[^:@/]+(?:[:@]|$)/;

/**
 * Returns a model id in OpenRouter's spelling: without the optional prefix `openrouter/`.
 *
 * `openrouter` is also the author of real models: `openrouter/auto`, and stealth models that appear and disappear. A list of
 * names can therefore not tell author and prefix apart. Instead, the function removes the prefix if `author/slug` or
 * `@preset/slug` remains. It compares case-sensitively, does not trim, and removes at most one prefix.
 * @param id a model id as the client wrote it, with JSON escapes decoded.
 * @returns the id to forward. Limits, prices and log lines use this id too, so both spellings share one limit.
 */
export function normalizeModelId(id: string): string {
  return hasOptionalPrefix(id) ? id.slice(PREFIX.length) : id;
}

/** Length of the prefix in characters, all of them ASCII. */
export const OPTIONAL_PREFIX_LENGTH = PREFIX.length;

/** Whether `id` starts with a prefix `openrouter/` that must not be forwarded. */
export function hasOptionalPrefix(id: string): boolean {
  if (!id.startsWith(PREFIX)) return false;
  const rest = id.slice(PREFIX.length);
  if (rest.startsWith(PRESET)) return rest.length > PRESET.length;
  return AUTHOR_AND_SLUG.test(rest);
}
