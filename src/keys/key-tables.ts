// Kysely's types of the tables of keys, which are the same in SQLite and PostgreSQL. Times are ms since 1970 (UTC), booleans
// are 0 or 1, lists and objects are JSON as text.

/** Gateway keys. Instead of a secret, the table contains its SHA-256 digest as 64 hexadecimal digits. */
export interface KeyTable {
  id: string;
  name: string;
  owner: string | null;
  /** JSON object of strings. */
  metadata: string;
  role: "caller" | "admin";
  /** The first characters of the secret, by which people recognise a key. */
  prefix: string;
  digest: string;
  /** Digest of the secret that the last rotation replaced. That secret is valid until `previous_until`. */
  previous_digest: string | null;
  previous_until: number | null;
  created_at: number;
  last_used_at: number | null;
  expires_at: number | null;
  disabled: number;
  revoked_at: number | null;
  /** JSON list of glob patterns for model ids; null allows every model. */
  models: string | null;
  /** JSON object of model ids by alias. */
  aliases: string;
  on_disconnect: "cancel" | "drain";
  group_id: string | null;
  /** JSON of the limits that are set. */
  limits: string;
  /** Time of the last change of `limits` or `end_users`. */
  limits_changed_at: number;
  /** JSON of the settings for end users; null: requests have no end users. */
  end_users: string | null;
  unbounded_reservation_nanodollars: number | null;
  /** The key is refused until then, because a request cost more than was reserved for it; 0: not refused. */
  blocked_until: number;
  /** Number of the key's last change. All keys share one sequence, so a cache reads only rows above its own revision. */
  revision: number;
}

/** Groups of keys, such as teams. */
export interface KeyGroupTable {
  id: string;
  name: string;
  /** JSON of the limits that are set. */
  limits: string;
  limits_changed_at: number;
  created_at: number;
}

/** A table of one row: the revision of the last change. The lock on this row serializes changes of keys. */
export interface KeyRevisionTable {
  id: number;
  revision: number;
}

/** Changes of keys. Rows are never updated or deleted. */
export interface AuditTable {
  id: string;
  at: number;
  /** Id of an admin key, `cli` or `first-start`. */
  actor: string;
  action: string;
  key_id: string | null;
  /** JSON object of the changed fields; never contains a secret. */
  details: string;
  /** Address of the client, or user and host of the command line. */
  source: string;
}

declare module "../store/database.ts" {
  interface Tables {
    keys: KeyTable;
    key_groups: KeyGroupTable;
    key_revision: KeyRevisionTable;
    audit: AuditTable;
  }
}
