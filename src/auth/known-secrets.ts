import { LRUCache } from "lru-cache";
import { boundCache } from "../limits/cache-bound.ts";
import { type ConfiguredKey, findFingerprint } from "../config/gateway-api-keys.ts";
import { fingerprintSecret } from "../key-secret.ts";
import { getConfiguredKeyId } from "./key-store.ts";

const SECRETS_MAX = 20_000;

/**
 * Recognises the secrets of keys that were valid when they were last used, without a digest or a look-up. It stores a 32-bit
 * checksum of each secret. It decides only whether a secret is worth a look-up, and never authenticates a request.
 */
export class KnownSecrets {
  /** The oldest entry is evicted first, because `has`, which reads the cache, does not refresh an entry. */
  readonly #fingerprints: LRUCache<number, true>;
  /** Ids of keys that are configured by their digest and have not been used yet. */
  readonly #unseen = new Set<string>();

  /** @param entries the configured keys, whose secrets are known from the start. */
  constructor(entries: readonly ConfiguredKey[]) {
    this.#fingerprints = new LRUCache(boundCache(Math.max(SECRETS_MAX, entries.length)));
    for (const entry of entries) {
      const fingerprint = findFingerprint(entry);
      if (fingerprint === undefined) this.#unseen.add(getConfiguredKeyId(entry));
      else this.#fingerprints.set(fingerprint, true);
    }
  }

  /** Whether a secret with an unknown fingerprint may be valid: a key that is configured by its digest is still unused. */
  get hasUnseen(): boolean {
    return this.#unseen.size > 0;
  }

  has(secret: string): boolean {
    return this.#fingerprints.has(fingerprintSecret(secret));
  }

  /** @param keyId id of the key that the secret belongs to. */
  add(secret: string, keyId: string): void {
    this.#unseen.delete(keyId);
    const fingerprint = fingerprintSecret(secret);
    if (!this.#fingerprints.has(fingerprint)) this.#fingerprints.set(fingerprint, true);
  }

  delete(secret: string): void {
    this.#fingerprints.delete(fingerprintSecret(secret));
  }
}
