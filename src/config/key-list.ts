import { hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

/** A gateway key as it is kept: its name, and the SHA-256 digest of its secret. The secret itself is not kept. */
export interface ConfiguredKey {
  readonly name: string;
  /** 32 bytes. */
  readonly digest: Buffer;
}

const NAME = /^[\w.-]{1,64}$/;
const SECRET = /^[\x21-\x7e]{1,512}$/;
const DIGEST = /^sha256=([0-9a-f]{64})$/i;

const FINGERPRINT_SEED = randomBytes(4).readUInt32LE();
/** Not in the entries: those are configuration, and fingerprints differ from process to process. */
const listedFingerprints = new WeakMap<ConfiguredKey, number>();

/**
 * Digest of a key's secret, as it is stored and compared.
 * @param secret the text after `Bearer `.
 */
export function digestSecret(secret: string): Buffer {
  // The one-shot hash costs about half of createHash().update().digest().
  return hash("sha256", secret, "buffer");
}

/**
 * A checksum of a secret, which costs less than a digest. Secrets that differ can have the same one, so it decides nothing
 * by itself. It is of use in this process alone.
 */
export function fingerprintSecret(secret: string): number {
  return crc32(secret, FINGERPRINT_SEED);
}

/** The fingerprint of a key's secret; undefined when only its digest was given. */
export function findFingerprint(entry: ConfiguredKey): number | undefined {
  return listedFingerprints.get(entry);
}

/**
 * Reads the items of `GATEWAY_API_KEYS`: `name:secret` or `name:sha256=<64 hex digits>`.
 * @returns the keys, and one sentence per mistake; sentences name the item by its place, never by its text.
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
      return "has a secret that is empty or has characters no Authorization header can carry";
    const entry = { name, digest: digestSecret(secret) };
    listedFingerprints.set(entry, fingerprintSecret(secret));
    return entry;
  }
  const hex = DIGEST.exec(secret)?.[1];
  return hex ? { name, digest: Buffer.from(hex, "hex") } : "has a sha256= that is not 64 hexadecimal digits";
}
