import { digestSecret, fingerprintSecret } from "../key-secret.ts";

/** A gateway key of `GATEWAY_API_KEYS`: its name and the SHA-256 digest of its secret. The secret itself is not stored. */
export interface ConfiguredKey {
  readonly name: string;
  /** 32 bytes. */
  readonly digest: Buffer;
}

const NAME = /^[\w.-]{1,64}$/;
const SECRET = /^[\x21-\x7e]{1,512}$/;
const DIGEST = /^sha256=([0-9a-f]{64})$/i;

/** Fingerprints of secrets. They differ from process to process, so they are not part of the configuration. */
const fingerprints = new WeakMap<ConfiguredKey, number>();

/** Returns the fingerprint of a key's secret; undefined if only the digest is configured. */
export function findFingerprint(entry: ConfiguredKey): number | undefined {
  return fingerprints.get(entry);
}

/**
 * Parses the items of `GATEWAY_API_KEYS`: `name:secret` or `name:sha256=<64 hex digits>`.
 * @returns the keys, and one sentence per mistake, which names the item by its position and never contains its text.
 */
export function parseKeyList(items: readonly string[]): { entries: ConfiguredKey[]; mistakes: string[] } {
  const entries: ConfiguredKey[] = [];
  const mistakes: string[] = [];
  for (const [index, item] of items.entries()) {
    const entry = parseEntry(item);
    const place = `GATEWAY_API_KEYS item ${index + 1}`;
    if (typeof entry === "string") mistakes.push(`${place} ${entry}`);
    else if (entries.some((other) => other.name === entry.name))
      mistakes.push(`${place} repeats the name of another key`);
    else if (entries.some((other) => other.digest.equals(entry.digest)))
      mistakes.push(`${place} repeats the secret of another key`);
    else entries.push(entry);
  }
  return { entries, mistakes };
}

function parseEntry(item: string): ConfiguredKey | string {
  const colon = item.indexOf(":");
  const name = item.slice(0, colon);
  const secret = item.slice(colon + 1);
  if (colon < 1 || !NAME.test(name))
    return "must be name:sk-... with a name of up to 64 letters, digits, '.', '_' or '-'";
  if (!/^sha256=/i.test(secret)) {
    if (!SECRET.test(secret))
      return "has a secret that is empty or contains characters that are invalid in an Authorization header";
    const entry = { name, digest: digestSecret(secret) };
    fingerprints.set(entry, fingerprintSecret(secret));
    return entry;
  }
  const hex = DIGEST.exec(secret)?.[1];
  return hex
    ? { name, digest: Buffer.from(hex, "hex") }
    : "has a sha256= digest that is not 64 hexadecimal digits";
}
