import { ANONYMOUS } from "./gateway-key.ts";
import type { KeyService } from "./key-service.ts";

/**
 * The id under which a key is accounted.
 * @param idOrName keys of the environment, `env:name`, and `anonymous` are ids that no table has.
 * @throws GatewayError key_not_found.
 */
export async function resolveKeyId(
  keys: KeyService,
  idOrName: string | undefined,
): Promise<string | undefined> {
  if (idOrName === undefined || idOrName.startsWith("env:") || idOrName === ANONYMOUS) return idOrName;
  return (await keys.show(idOrName)).id;
}
