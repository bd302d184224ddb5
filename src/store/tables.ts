import type { Generated } from "kysely";

// The tables as Kysely sees them, alike in SQLite and PostgreSQL. Times are ms since 1970 (UTC), money is nanodollars
// (1e-9 USD), truths are 0 or 1, lists and objects are JSON as text.

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

/** A gateway process, from its start to its last sign of life. */
export interface InstanceTable {
  id: string;
  started_at: number;
  seen_at: number;
}

/** One row: the latest time that the deletion of old requests has believed, see `retention-clock.ts`. */
export interface RetentionClockTable {
  id: number;
  trusted_at: number;
}

/** One chat completion that was admitted. */
export interface RequestTable {
  /** The gateway's own; ids are in the order of their beginning. */
  id: string;
  /** As in `x-request-id`, which a caller may choose. */
  request_id: string;
  generation_id: string | null;
  instance: string;
  key_id: string;
  key_name: string;
  requested_model: string | null;
  forwarded_model: string | null;
  response_model: string | null;
  provider: string | null;
  stream: number;
  status: number;
  outcome: "complete" | "upstream_error" | "client_gone" | "rejected" | "interrupted" | null;
  /** `open` under way, `pending` ended without its cost, `settled`, `unknown` given up. */
  state: "open" | "pending" | "settled" | "unknown";
  prompt_tokens: number | null;
  completion_tokens: number | null;
  cached_tokens: number | null;
  cache_write_tokens: number | null;
  reasoning_tokens: number | null;
  cost_nanodollars: number | null;
  cost_source: "stream" | "body" | "generation" | "none" | "unknown" | null;
  /** Whether the account's own key at the provider was used; null: upstream did not say. */
  is_byok: number | null;
  /** What the provider charges; part of the cost, unless it is BYOK. */
  upstream_inference_nanodollars: number | null;
  first_byte_ms: number | null;
  total_ms: number | null;
  bytes_in: number;
  bytes_out: number;
  started_at: number;
  ended_at: number | null;
  /** How often `/generation` had no bill, and when it may be asked next, which also is how a replica claims a row. */
  settle_attempts: Generated<number>;
  settle_at: number | null;
}

/** Sums of what has been settled. */
interface SumsTable {
  key_id: string;
  model: string;
  provider: string;
  requests: number;
  unknown_requests: number;
  prompt_tokens: number;
  completion_tokens: number;
  cached_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  cost_nanodollars: number;
  /** What providers charge for BYOK requests, beside the cost. */
  byok_nanodollars: number;
}

/** By the hour (UTC) in which requests began, ms since 1970. */
export interface RollupTable extends SumsTable {
  hour: number;
}

/** The same by the day. */
export interface DailyRollupTable extends SumsTable {
  day: number;
}

/** All tables by name. */
export interface Tables {
  keys: KeyTable;
  key_revision: KeyRevisionTable;
  audit: AuditTable;
  instances: InstanceTable;
  retention_clock: RetentionClockTable;
  requests: RequestTable;
  rollups: RollupTable;
  rollups_daily: DailyRollupTable;
}
