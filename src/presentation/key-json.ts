import { z } from "zod";
import type { AuditEntry, ManagedKey, IssuedKey } from "../keys/managed-key.ts";
import { toUsd } from "../money.ts";
import { endUsersSchema, limitsSchema, toEndUsersJson, toLimitsJson } from "./limit-json.ts";
import { formatOptionalTimestamp, formatTimestamp, timestampSchema } from "./timestamp.ts";

// The JSON of keys and audit entries in the admin API and the command line: snake_case names, and times as ISO 8601 in UTC.

/** A key, without its secret. */
export const keySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(["caller", "admin"]),
    owner: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
    prefix: z.string().describe("The first characters of the secret"),
    models: z.array(z.string()).nullable(),
    aliases: z.record(z.string(), z.string()).describe("Model ids by alias"),
    on_disconnect: z.enum(["cancel", "drain"]),
    group: z.string().nullable().describe("Name of the group that the key belongs to"),
    group_id: z.string().nullable(),
    limits: limitsSchema,
    end_users: endUsersSchema.nullable(),
    unbounded_reservation_usd: z
      .number()
      .nullable()
      .describe("Reserved for a request whose cost has no bound; null: hard budgets refuse such a request"),
    blocked_until: timestampSchema
      .nullable()
      .describe("The key is refused until then, because a request cost more than was reserved for it"),
    created_at: timestampSchema,
    last_used_at: timestampSchema.nullable(),
    expires_at: timestampSchema.nullable(),
    disabled: z.boolean(),
    revoked_at: timestampSchema.nullable(),
    previous_secret_until: timestampSchema.nullable(),
  })
  .describe("A key");

/** A key with its secret, which no later response contains. */
export const issuedKeySchema = keySchema
  .extend({ secret: z.string().describe("Shown only in this response") })
  .describe("The key and its secret");

/** An entry of the audit table: one change of a key. */
export const auditEntrySchema = z.object({
  id: z.string(),
  at: timestampSchema,
  actor: z.string(),
  action: z.string(),
  key_id: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
  source: z.string(),
});

/** Converts a key to its JSON shape, without its secret. */
export function toKeyJson(key: ManagedKey): z.output<typeof keySchema> {
  const { id, prefix, disabled: isDisabled } = key;
  return {
    id,
    name: key.name,
    role: key.role,
    owner: key.owner,
    metadata: { ...key.metadata },
    prefix,
    models: key.models && [...key.models],
    aliases: { ...key.aliases },
    on_disconnect: key.onDisconnect,
    group: key.group?.name ?? null,
    group_id: key.group?.id ?? null,
    limits: toLimitsJson(key.limits),
    end_users: toEndUsersJson(key.endUsers),
    unbounded_reservation_usd:
      key.unboundedReservationNanodollars === null ? null : toUsd(key.unboundedReservationNanodollars),
    blocked_until: key.blockedUntil === 0 ? null : formatTimestamp(key.blockedUntil),
    created_at: formatTimestamp(key.createdAt),
    last_used_at: formatOptionalTimestamp(key.lastUsedAt),
    expires_at: formatOptionalTimestamp(key.expiresAt),
    disabled: isDisabled,
    revoked_at: formatOptionalTimestamp(key.revokedAt),
    previous_secret_until: formatOptionalTimestamp(key.previousSecretUntil),
  };
}

/** Converts a key that was just created or rotated to its JSON shape, with its secret. */
export function toIssuedKeyJson({ key, secret }: IssuedKey): z.output<typeof issuedKeySchema> {
  return { ...toKeyJson(key), secret };
}

/** Converts an audit entry to its JSON shape. */
export function toAuditEntryJson({
  at,
  keyId,
  details,
  ...entry
}: AuditEntry): z.output<typeof auditEntrySchema> {
  return { ...entry, at: formatTimestamp(at), key_id: keyId, details: { ...details } };
}
