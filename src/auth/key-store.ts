import { timingSafeEqual } from "node:crypto";
import type { CallerKey } from "./caller-key.ts";
import type { ConfiguredKey } from "../config/gateway-api-keys.ts";
import { UNLIMITED } from "../limits/limit-settings.ts";
import { NO_ALIASES } from "../request/model-aliases.ts";

/** Runs the look-up of a key that is not in memory: now, later, or not at all. */
export type ScheduleLookUp = (lookUp: () => Promise<CallerKey | undefined>) => Promise<CallerKey | undefined>;

/** A source of gateway keys: a list from the environment, a database, or both. */
export interface KeyStore {
  /**
   * Finds the key of a secret.
   * @param digest SHA-256 of the secret that the client sent.
   * @param scheduleLookUp runs the look-up in the database, if one is needed. By default the look-up runs at once.
   * @returns the key, or undefined if the secret belongs to none; a promise only if a look-up is needed.
   */
  find(
    digest: Buffer,
    scheduleLookUp?: ScheduleLookUp,
  ): CallerKey | undefined | Promise<CallerKey | undefined>;
}

/** Creates a store of a fixed list of keys, which may use every model. */
export function createStaticKeyStore(entries: readonly ConfiguredKey[]): KeyStore {
  const byDigest = new Map(entries.map((entry) => [entry.digest.toString("latin1"), toStoredKey(entry)]));
  const nobody = Buffer.alloc(32);
  return {
    find(digest) {
      // A Map is safe as an index because clients cannot choose a digest. The digests are compared in constant time.
      const found = byDigest.get(digest.toString("latin1"));
      return timingSafeEqual(found?.digest ?? nobody, digest) ? found?.key : undefined;
    },
  };
}

/** Returns the id under which the ledger records the requests of a configured key. */
export function getConfiguredKeyId({ name }: ConfiguredKey): string {
  return `env:${name}`;
}

function toStoredKey(entry: ConfiguredKey): { digest: Buffer; key: CallerKey } {
  const { name, digest } = entry;
  return {
    digest,
    key: {
      id: getConfiguredKeyId(entry),
      name,
      role: "caller",
      models: null,
      aliases: NO_ALIASES,
      onDisconnect: "cancel",
      ...UNLIMITED,
    },
  };
}

/** Chains two stores: a key that the first store does not have is looked up in the second one. */
export function chainKeyStores(first: KeyStore, second: KeyStore): KeyStore {
  return { find: (digest, scheduleLookUp) => first.find(digest) ?? second.find(digest, scheduleLookUp) };
}
