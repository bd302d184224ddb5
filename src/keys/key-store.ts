import { timingSafeEqual } from "node:crypto";
import type { KeyEntry } from "./key-list.ts";

/** Where gateway keys are looked up. The list from the environment is one; a database can be another. */
export interface KeyStore {
  /** @param digest SHA-256 of the secret a caller presented. @returns the key it belongs to, if any. */
  find(digest: Buffer): KeyEntry | undefined | Promise<KeyEntry | undefined>;
}

/** A store of a fixed list of keys. */
export function fixedKeys(entries: readonly KeyEntry[]): KeyStore {
  const byDigest = new Map(entries.map((entry) => [entry.digest.toString("latin1"), entry]));
  const nobody = Buffer.alloc(32);
  return {
    find(digest) {
      // The index is safe because a caller cannot choose a digest; what decides is compared in constant time.
      const entry = byDigest.get(digest.toString("latin1"));
      return timingSafeEqual(entry?.digest ?? nobody, digest) ? entry : undefined;
    },
  };
}
