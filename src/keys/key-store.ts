import { timingSafeEqual } from "node:crypto";
import type { CallerKey } from "./gateway-key.ts";
import type { KeyEntry } from "./key-list.ts";

/** Where gateway keys are looked up: a list from the environment, a database, or both. */
export interface KeyStore {
  /** @param digest SHA-256 of the secret a caller presented. @returns the key it belongs to, if any. */
  find(digest: Buffer): CallerKey | undefined | Promise<CallerKey | undefined>;
}

/** A store of a fixed list of keys, which may use every model. */
export function fixedKeys(entries: readonly KeyEntry[]): KeyStore {
  const byDigest = new Map(entries.map((entry) => [entry.digest.toString("latin1"), known(entry)]));
  const nobody = Buffer.alloc(32);
  return {
    find(digest) {
      // The index is safe because a caller cannot choose a digest; what decides is compared in constant time.
      const found = byDigest.get(digest.toString("latin1"));
      return timingSafeEqual(found?.digest ?? nobody, digest) ? found?.key : undefined;
    },
  };
}

function known({ name, digest }: KeyEntry): { digest: Buffer; key: CallerKey } {
  return { digest, key: { id: `env:${name}`, name, role: "caller", models: null, onDisconnect: "cancel" } };
}

/** Asks one store and then, for what it does not know, the other. */
export function firstOf(first: KeyStore, second: KeyStore): KeyStore {
  return { find: (digest) => first.find(digest) ?? second.find(digest) };
}
