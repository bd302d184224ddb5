const PREFIX = "openrouter/";
const PRESET = "@preset/";
/** `author/slug`, up to the first `:` or `@`. */
const AUTHOR_AND_SLUG = /^[^:@/]+\/[^:@/]+(?:[:@]|$)/;

/**
 * The name under which OpenRouter knows a model: `id` without an optional `openrouter/` in front.
 *
 * `openrouter/` is also a real author (`openrouter/auto`, and stealth models that come and go), so no list of names can
 * decide. What decides is whether `author/slug` or `@preset/slug` is left when the prefix is gone. Case matters, nothing
 * is trimmed, and the prefix goes at most once.
 * @param id a model id as the caller wrote it, JSON escapes decoded.
 * @returns the id to forward, and to use for every limit, price and log line: two spellings must not get two budgets.
 */
export function normalizeModelId(id: string): string {
  return hasOptionalPrefix(id) ? id.slice(PREFIX.length) : id;
}

/** Length of the prefix in characters, all of them ASCII. */
export const OPTIONAL_PREFIX_LENGTH = PREFIX.length;

/** Whether `id` starts with an `openrouter/` that OpenRouter does not want to see. */
export function hasOptionalPrefix(id: string): boolean {
  if (!id.startsWith(PREFIX)) return false;
  const rest = id.slice(PREFIX.length);
  if (rest.startsWith(PRESET)) return rest.length > PRESET.length;
  return AUTHOR_AND_SLUG.test(rest);
}
