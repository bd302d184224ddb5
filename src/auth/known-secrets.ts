import { LRUCache } from "lru-cache";
import { type ConfiguredKey, findFingerprint } from "../config/gateway-api-keys.ts";
import { fingerprintSecret } from "../key-secret.ts";
import { getConfiguredKeyId } from "./key-store.ts";

const SECRETS_MAX = 20_000;

/**
 * Recognises secrets of keys that were good when they were last used, without a digest or a look-up. What is kept of a
 * secret is a checksum of 32 bits, so this only says which secrets are worth a look-up; it lets nobody in.
 */
export class KnownSecrets {
  /** Read with `has`, so that the fingerprint that was added first is dropped first. */
  readonly #fingerprints: LRUCache<number, true>;
  /** Ids of keys that were listed by their digests and have not been used yet. */
  readonly #unseen = new Set<string>();

  /** @param entries the keys of the configuration, which are known from the start. */
  constructor(entries: readonly ConfiguredKey[]) {
    this.#fingerprints = new LRUCache({ max: Math.max(SECRETS_MAX, entries.length) });
    for (const entry of entries) {
      const fingerprint = findFingerprint(entry);
      if (fingerprint === undefined) this.#unseen.add(getConfiguredKeyId(entry));
      else this.#fingerprints.set(fingerprint, true);
    }
  }

  /** Whether this may be the secret of a key whose secret was never seen, because only its digest is configured. */
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
