import { type ConfiguredKey, findFingerprint } from "../config/key-list.ts";
import { fingerprintSecret } from "../key-secret.ts";
import { getConfiguredKeyId } from "./key-store.ts";

const SECRETS_MAX = 20_000;

/**
 * Recognises secrets of keys that were good when they were last used, without a digest or a look-up. What is kept of a
 * secret is a checksum of 32 bits, so this only says which secrets are worth a look-up; it lets nobody in.
 */
export class KnownSecrets {
  /** The one that was added first comes first. */
  readonly #fingerprints = new Set<number>();
  /** Ids of keys that were listed by their digests and have not been used yet. */
  readonly #unseen = new Set<string>();

  /** @param entries the keys of the configuration, which are known from the start. */
  constructor(entries: readonly ConfiguredKey[]) {
    for (const entry of entries) {
      const fingerprint = findFingerprint(entry);
      if (fingerprint === undefined) this.#unseen.add(getConfiguredKeyId(entry));
      else this.#fingerprints.add(fingerprint);
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
    this.#fingerprints.add(fingerprintSecret(secret));
    if (this.#fingerprints.size <= SECRETS_MAX) return;
    const [first] = this.#fingerprints;
    if (first !== undefined) this.#fingerprints.delete(first);
  }

  delete(secret: string): void {
    this.#fingerprints.delete(fingerprintSecret(secret));
  }
}
