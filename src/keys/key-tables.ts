// The tables of keys as Kysely sees them, alike in SQLite and PostgreSQL. Times are ms since 1970 (UTC), booleans are 0 or 1,
// lists and objects are JSON as text.

/** A gateway key. Its secret is not here: only the SHA-256 digest of it, as 64 hexadecimal digits. */
export interface KeyTable {
  id: string;
  name: string;
  owner: string | null;
  /** JSON object of strings. */
  metadata: string;
  role: "caller" | "admin";
  /** The first characters of the secret, for people to tell keys apart. */
  prefix: string;
  digest: string;
  /** After a rotation: the secret of before, and until when it is good. */
  previous_digest: string | null;
  previous_until: number | null;
  created_at: number;
  last_used_at: number | null;
  expires_at: number | null;
  disabled: number;
  revoked_at: number | null;
  /** JSON list of globs on model names; null allows every model. */
  models: string | null;
  on_disconnect: "cancel" | "drain";
  /** Of the last change, counted over all keys: whoever knows revision n has only to read what is above it. */
  revision: number;
}

/** One row: the highest revision given to a key. Locking it puts all changes of keys in one order. */
export interface KeyRevisionTable {
  id: number;
  revision: number;
}

/** Who changed what. Only ever added to. */
export interface AuditTable {
  id: string;
  at: number;
  /** Id of an admin key, `cli` or `first-start`. */
  actor: string;
  action: string;
  key_id: string | null;
  /** JSON object of what was changed, never a secret. */
  details: string;
  /** Address of the caller, or user and host of the command line. */
  source: string;
}

declare module "../store/database.ts" {
  interface Tables {
    keys: KeyTable;
    key_revision: KeyRevisionTable;
    audit: AuditTable;
  }
}
