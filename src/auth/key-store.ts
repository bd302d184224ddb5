import { timingSafeEqual } from "node:crypto";
import type { CallerKey } from "./caller-key.ts";
import type { ConfiguredKey } from "../config/gateway-api-keys.ts";

/** Runs the look-up of a key that is not in memory, later or not at all. */
export type ScheduleLookUp = (lookUp: () => Promise<CallerKey | undefined>) => Promise<CallerKey | undefined>;

/** Where gateway keys are looked up: a list from the environment, a database, or both. */
export interface KeyStore {
  /**
   * @param digest SHA-256 of the secret a caller presented.
   * @param scheduleLookUp runs the look-up in a database, if one is needed; by default at once.
   * @returns the key it belongs to, if any; a promise only when a database is asked.
   */
  find(
    digest: Buffer,
    scheduleLookUp?: ScheduleLookUp,
  ): CallerKey | undefined | Promise<CallerKey | undefined>;
}

/** A store of a fixed list of keys, which may use every model. */
export function createStaticKeyStore(entries: readonly ConfiguredKey[]): KeyStore {
  const byDigest = new Map(entries.map((entry) => [entry.digest.toString("latin1"), toStoredKey(entry)]));
  const nobody = Buffer.alloc(32);
  return {
    find(digest) {
      // The index is safe because a caller cannot choose a digest; what decides is compared in constant time.
      const found = byDigest.get(digest.toString("latin1"));
      return timingSafeEqual(found?.digest ?? nobody, digest) ? found?.key : undefined;
    },
  };
}

/** The id of a configured key, by which the ledger knows it. */
export function getConfiguredKeyId({ name }: ConfiguredKey): string {
  return `env:${name}`;
}

function toStoredKey(entry: ConfiguredKey): { digest: Buffer; key: CallerKey } {
  const { name, digest } = entry;
  return {
    digest,
    key: { id: getConfiguredKeyId(entry), name, role: "caller", models: null, onDisconnect: "cancel" },
  };
}

/** Asks one store and then, for what it does not know, the other. */
export function chainKeyStores(first: KeyStore, second: KeyStore): KeyStore {
  return { find: (digest, scheduleLookUp) => first.find(digest) ?? second.find(digest, scheduleLookUp) };
}
