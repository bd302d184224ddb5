/** Whom requests without a gateway key are accounted to. */
export const ANONYMOUS = "anonymous";

/** What a key may be used for: chat completions and models, or the admin API. Never both. */
export type KeyRole = "caller" | "admin";

/** What becomes of a request whose caller has left: abort it, or read it to its end for the bill. */
export type OnDisconnect = "cancel" | "drain";

/** What the way of a request needs to know of the key it came with. */
export interface CallerKey {
  /** Of the key in the database, or `env:` and the name for one of `GATEWAY_API_KEYS`. */
  readonly id: string;
  readonly name: string;
  readonly role: KeyRole;
  /** Globs on model names without the optional prefix; null allows every model. */
  readonly models: readonly string[] | null;
  readonly onDisconnect: OnDisconnect;
}
