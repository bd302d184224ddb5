import type { CallerKey } from "../auth/caller-key.ts";
import type { KeyChanges, NewKey } from "./key-input.ts";
import type { KeyGroup } from "../limits/limit-settings.ts";
import { parseEndUsers, parseLimits } from "./limit-columns.ts";
import type { KeyRow } from "./key-rows.ts";

/** All properties of a key except its digests, for the admin API and the command line. */
export interface ManagedKey extends Omit<CallerKey, "aliases"> {
  /** Model ids by alias. */
  readonly aliases: Readonly<Record<string, string>>;
  readonly owner: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** The first characters of the secret. */
  readonly prefix: string;
  /** All times are ms since 1970 (UTC). */
  readonly createdAt: number;
  /** Accurate to some seconds. */
  readonly lastUsedAt: number | null;
  readonly expiresAt: number | null;
  readonly disabled: boolean;
  readonly revokedAt: number | null;
  /** Time until which the secret that the last rotation replaced is valid. */
  readonly previousSecretUntil: number | null;
}

/** The author of a change, for the audit table. */
export interface Actor {
  /** Id of an admin key, `cli` or `first-start`. */
  readonly actor: string;
  /** Address of the client, or user and host of the command line. */
  readonly source: string;
}

/** A key and its secret, which no later response contains. */
export interface IssuedKey {
  readonly key: ManagedKey;
  readonly secret: string;
}

/** One recorded change of a key. */
export interface AuditEntry {
  readonly id: string;
  /** ms since 1970. */
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  readonly keyId: string | null;
  /** The changed fields with their old and new values; never a secret. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly source: string;
}

/**
 * Converts the settings of a key to columns, except those that change an existing value. The column of a setting that is left
 * out is undefined.
 */
export function toKeyColumns(settings: KeyChanges | NewKey): Pick<KeyRow, SettingColumn> {
  const { models, aliases, metadata, disabled } = settings;
  const row = {
    name: settings.name,
    ...("role" in settings && { role: settings.role }),
    owner: settings.owner,
    metadata: metadata && JSON.stringify(metadata),
    models: models && JSON.stringify(models),
    aliases: aliases && JSON.stringify(aliases),
    expires_at: settings.expiresAt,
    disabled: disabled === undefined ? undefined : Number(disabled),
    on_disconnect: settings.onDisconnect,
    unbounded_reservation_nanodollars: settings.unboundedReservationNanodollars,
  };
  // Kysely ignores columns that are undefined.
  return row as Pick<KeyRow, SettingColumn>;
}

type SettingColumn =
  | "name"
  | "role"
  | "owner"
  | "metadata"
  | "models"
  | "aliases"
  | "expires_at"
  | "disabled"
  | "on_disconnect"
  | "unbounded_reservation_nanodollars";

function toKeyGroup(row: KeyRow): KeyGroup | null {
  const { group_id: id, group_name: name, group_limits, group_limits_changed_at } = row;
  if (id === null || name === null) return null;
  const limits = parseLimits(group_limits ?? "{}");
  return { id, name, limits, limitsChangedAt: group_limits_changed_at ?? 0 };
}

/** Converts a row to a key. */
export function toManagedKey(row: KeyRow): ManagedKey {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    owner: row.owner,
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    prefix: row.prefix,
    models: row.models === null ? null : (JSON.parse(row.models) as string[]),
    aliases: JSON.parse(row.aliases) as Record<string, string>,
    onDisconnect: row.on_disconnect,
    limits: parseLimits(row.limits),
    limitsChangedAt: row.limits_changed_at,
    group: toKeyGroup(row),
    endUsers: parseEndUsers(row.end_users),
    unboundedReservationNanodollars: row.unbounded_reservation_nanodollars,
    blockedUntil: row.blocked_until,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
    disabled: row.disabled === 1,
    revokedAt: row.revoked_at,
    previousSecretUntil: row.previous_digest === null ? null : row.previous_until,
  };
}

/** The changed fields of a key or a group, with their old and new values. */
export type Differences = Record<string, { from: unknown; to: unknown }>;

/** Returns the fields that differ. No field of a key contains a secret. */
export function diffKeys(before: KeyRow, after: KeyRow): Differences {
  return diffFields(toAuditedFields(toManagedKey(before)), toAuditedFields(toManagedKey(after)));
}

/** Returns the fields of which two objects have different values. */
export function diffFields(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): Differences {
  return Object.fromEntries(
    Object.keys(before)
      .filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))
      .map((field) => [field, { from: before[field], to: after[field] }]),
  );
}

/** Reduces the group to its id: a change of the group is audited once, as a change of the group. */
function toAuditedFields({
  limitsChangedAt: _changedAt,
  group,
  ...fields
}: ManagedKey): Record<string, unknown> {
  return { ...fields, group: group?.id ?? null };
}
