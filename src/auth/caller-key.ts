import type { KeyLimits } from "../limits/limit-settings.ts";
import type { ModelAliases } from "../request/model-aliases.ts";

/** The key id under which the ledger records requests without a gateway key. */
export const ANONYMOUS = "anonymous";

/** The use of a key: `caller` for chat completions and models, `admin` for the admin API. No key can be used for both. */
export type KeyRole = "caller" | "admin";

/** Handling of a request after its client has disconnected: abort it, or drain its response to learn the cost. */
export type OnDisconnect = "cancel" | "drain";

/** The properties of a gateway key that are needed to handle a request. */
export interface CallerKey extends KeyLimits {
  /** The id in the database, or `env:` and the name for a key of `GATEWAY_API_KEYS`. */
  readonly id: string;
  readonly name: string;
  readonly role: KeyRole;
  /** Glob patterns for model ids without the prefix; null allows every model. */
  readonly models: readonly string[] | null;
  /** The key's own aliases, which take precedence over those of the gateway. */
  readonly aliases: ModelAliases;
  readonly onDisconnect: OnDisconnect;
}
