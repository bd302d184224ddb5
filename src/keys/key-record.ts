import type { CachedKey } from "../auth/key-cache.ts";
import type { KeyRow } from "./key-rows.ts";
import type { ManagedKey } from "./gateway-key.ts";
import type { KeyChanges, NewKey } from "./key-input.ts";

/** What can be set of a key, as columns. What is left out is not among them. */
export function toKeyColumns(settings: KeyChanges | NewKey): Pick<KeyRow, SettingColumn> {
  const { models, metadata, disabled } = settings;
  const row = {
    name: settings.name,
    ...("role" in settings && { role: settings.role }),
    owner: settings.owner,
    metadata: metadata && JSON.stringify(metadata),
    models: models && JSON.stringify(models),
    expires_at: settings.expiresAt,
    disabled: disabled === undefined ? undefined : Number(disabled),
    on_disconnect: settings.onDisconnect,
  };
  // Kysely leaves out what is undefined.
  return row as Pick<KeyRow, SettingColumn>;
}

type SettingColumn =
  | "name"
  | "role"
  | "owner"
  | "metadata"
  | "models"
  | "expires_at"
  | "disabled"
  | "on_disconnect";

/** A row as a key. */
export function toManagedKey(row: KeyRow): ManagedKey {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    owner: row.owner,
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    prefix: row.prefix,
    models: row.models === null ? null : (JSON.parse(row.models) as string[]),
    onDisconnect: row.on_disconnect,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
    disabled: row.disabled === 1,
    revokedAt: row.revoked_at,
    previousSecretUntil: row.previous_digest === null ? null : row.previous_until,
  };
}

/** The fields that differ, each with its value before and after. There is no secret among the fields of a key. */
export function diffKeys(before: KeyRow, after: KeyRow): Record<string, { from: unknown; to: unknown }> {
  const [old, now] = [toManagedKey(before), toManagedKey(after)];
  const fields = Object.keys(old) as (keyof ManagedKey)[];
  return Object.fromEntries(
    fields
      .filter((field) => JSON.stringify(old[field]) !== JSON.stringify(now[field]))
      .map((field) => [field, { from: old[field], to: now[field] }]),
  );
}

/** Converts a row to what the authentication of requests needs of it. */
export function toCachedKey(row: KeyRow): CachedKey {
  const key = toManagedKey(row);
  const { id, name, role, models, onDisconnect } = key;
  return {
    key: { id, name, role, models, onDisconnect },
    digest: Buffer.from(row.digest, "hex"),
    previousDigest: row.previous_digest === null ? undefined : Buffer.from(row.previous_digest, "hex"),
    previousValidUntil: row.previous_until ?? 0,
    validUntil: key.disabled || key.revokedAt !== null ? 0 : (key.expiresAt ?? Infinity),
  };
}
