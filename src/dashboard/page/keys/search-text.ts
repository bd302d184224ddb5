/** The beginning of every secret, as `getSecretPrefix` in `src/key-secret.ts` keeps it in the database. */
const SECRET = /sk-slc-\S{6,}/g;
const PREFIX_CHARS = 12;

/**
 * Cuts secrets in a text to their prefixes, by which keys are found: a secret that someone pastes into the search must not
 * reach a URL.
 */
export function shortenSecret(text: string): string {
  return text.trim().replaceAll(SECRET, (secret) => secret.slice(0, PREFIX_CHARS));
}
