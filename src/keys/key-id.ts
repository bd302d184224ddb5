import { ANONYMOUS } from "../auth/caller-key.ts";
import type { KeyService } from "./key-service.ts";

/**
 * Resolves the id under which the ledger records a key's requests.
 * @param idOrName id or name of a key. `env:name` (a key of the environment) and `anonymous` are ids without a row in the
 * table of keys, and are returned as they are.
 * @returns undefined if no key was given.
 * @throws GatewayError key_not_found.
 */
export async function resolveKeyId(
  keys: KeyService,
  idOrName: string | undefined,
): Promise<string | undefined> {
  if (idOrName === undefined || idOrName.startsWith("env:") || idOrName === ANONYMOUS) return idOrName;
  return (await keys.get(idOrName)).id;
}
