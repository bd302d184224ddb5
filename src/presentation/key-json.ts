import { z } from "zod";
import type { AuditEntry, ManagedKey, IssuedKey } from "../keys/managed-key.ts";
import { toUsd } from "../money.ts";
import { endUsersSchema, limitsSchema, toEndUsersJson, toLimitsJson } from "./limit-json.ts";
import {
  describeOptionalTimestamp,
  describeTimestamp,
  formatOptionalTimestamp,
  formatTimestamp,
} from "./timestamp.ts";

// The JSON of keys and audit entries in the admin API and the command line: snake_case names, and times as ISO 8601 in UTC.

/** A key, without its secret. */
export const keySchema = z
  .object({
    id: z.string().describe("Id of the key: key_ and 16 characters; never changes"),
    name: z.string().describe("Name of the key, unique among the keys that are not revoked"),
    role: z
      .enum(["caller", "admin"])
      .describe("caller: the key calls models. admin: the key calls the admin API"),
    owner: z.string().nullable().describe("The person or team that uses the key, in free text"),
    metadata: z.record(z.string(), z.string()).describe("Texts by name, which the gateway only stores"),
    prefix: z.string().describe("The first characters of the secret"),
    models: z
      .array(z.string())
      .nullable()
      .describe(
        "Patterns of the models that the key may use, in which * matches any text; null: every model",
      ),
    aliases: z.record(z.string(), z.string()).describe("Model ids by alias"),
    on_disconnect: z
      .enum(["cancel", "drain"])
      .describe(
        "When a client disconnects before the end of its response: cancel aborts the upstream request, drain reads the response to its end",
      ),
    group: z.string().nullable().describe("Name of the group that the key belongs to; null: none"),
    group_id: z.string().nullable().describe("Id of the group that the key belongs to; null: none"),
    limits: limitsSchema,
    end_users: endUsersSchema
      .nullable()
      .describe("Settings for the end users of the key; null: its requests have no end users"),
    unbounded_reservation_usd: z
      .number()
      .nullable()
      .describe(
        "US dollars that hard budgets reserve for a request whose cost has no bound; null: they refuse such a request",
      ),
    blocked_until: describeOptionalTimestamp(
      "The key is refused until then, because a request cost more than was reserved for it; null: not blocked",
    ),
    created_at: describeTimestamp("Time of creation"),
    last_used_at: describeOptionalTimestamp("Last use, written once a minute; null: never used"),
    expires_at: describeOptionalTimestamp("The key is refused from then on; null: it never expires"),
    disabled: z.boolean().describe("true: the key is refused until it is enabled again"),
    revoked_at: describeOptionalTimestamp("Time of the revocation, which is permanent; null: not revoked"),
    previous_secret_until: describeOptionalTimestamp(
      "The secret from before the last rotation is valid until then; null: there is none",
    ),
  })
  .describe("A key");

/** A key with its secret, which no later response contains. */
export const issuedKeySchema = keySchema
  .extend({
    secret: z
      .string()
      .describe("The secret, which clients send as their API key; only this response contains it"),
  })
  .describe("The key and its secret");

/** An entry of the audit table: one change of a key. */
export const auditEntrySchema = z.object({
  id: z.string().describe("Id of the entry; later entries have greater ids"),
  at: describeTimestamp("Time of the change"),
  actor: z.string().describe("The author: the id of an admin key, `cli`, `first-start` or `budget`"),
  action: z.string().describe("Kind of the change, such as `create`, `update`, `rotate` or `revoke`"),
  key_id: z.string().nullable().describe("Id of the changed key; null: a group was changed"),
  details: z
    .record(z.string(), z.unknown())
    .describe("The new values of the changed settings; contains no secret"),
  source: z
    .string()
    .describe("Address of the client; user and host of the command line; `gateway` for its own changes"),
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
