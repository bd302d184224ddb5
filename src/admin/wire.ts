import { z } from "zod";
import type { AuditEntry, GatewayKey } from "../keys/gateway-key.ts";
import { keyFields, type KeyChanges, type NewKey, plainText } from "../keys/key-input.ts";

// What goes over the wire of the admin API: names in snake_case, times as ISO 8601 in UTC.

const { name, role, owner, metadata, models, expiresAt, disabled, onDisconnect, graceMs } = keyFields;

/** Body of `POST /admin/v1/keys`. */
export const newKeyBody = z
  .strictObject({
    name,
    role: role.default("caller"),
    owner: owner.default(null),
    metadata: metadata.default({}),
    models: models.default(null),
    expires_at: expiresAt.default(null),
    disabled: disabled.default(false),
    on_disconnect: onDisconnect.default("cancel"),
  })
  .transform(({ expires_at, on_disconnect, ...rest }): NewKey => ({
    ...rest,
    expiresAt: expires_at,
    onDisconnect: on_disconnect,
  }));

/** Body of `PATCH /admin/v1/keys/{key}`. */
export const keyChangesBody = z
  .strictObject({
    name,
    owner,
    metadata,
    models,
    expires_at: expiresAt,
    disabled,
    on_disconnect: onDisconnect,
  })
  .partial()
  .transform(({ expires_at, on_disconnect, ...rest }): KeyChanges => ({
    ...rest,
    ...(expires_at !== undefined && { expiresAt: expires_at }),
    ...(on_disconnect !== undefined && { onDisconnect: on_disconnect }),
  }));

/** Body of `POST /admin/v1/keys/{key}/rotate`, which may be left out. */
export const rotationBody = z
  .strictObject({ grace_ms: graceMs.default(86_400_000) })
  .nullish()
  .transform((body) => ({ graceMs: body?.grace_ms ?? 86_400_000 }));

/** What every route answers when it refuses or fails. */
const wireError = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable().describe("The field or parameter at fault"),
      code: z.string(),
    }),
  })
  .describe("An error in OpenAI's shape");
export const errorAnswers = { "4xx": wireError, "5xx": wireError };

/** A text of a query. */
export const queryText = plainText.max(256).optional();
/** Which key a query is about. */
export const keyQuery = queryText.describe("Id or name; for a revoked key its id");

/** How many lines a page may have. */
export const pageLimit = z.coerce.number().int().min(1).max(500).default(100);

const when = z.string().describe("ISO 8601, UTC");

/** A key as it is shown. */
export const wireKey = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(["caller", "admin"]),
    owner: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
    prefix: z.string().describe("The first characters of the secret"),
    models: z.array(z.string()).nullable(),
    on_disconnect: z.enum(["cancel", "drain"]),
    created_at: when,
    last_used_at: when.nullable(),
    expires_at: when.nullable(),
    disabled: z.boolean(),
    revoked_at: when.nullable(),
    previous_secret_until: when.nullable(),
  })
  .describe("A key");

/** A key with its secret, which is shown this once. */
export const wireIssuedKey = wireKey
  .extend({ secret: z.string().describe("Shown this once") })
  .describe("The key and its secret");

/** A change that was made. */
export const wireAuditEntry = z.object({
  id: z.string(),
  at: when,
  actor: z.string(),
  action: z.string(),
  key_id: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
  source: z.string(),
});

/** A time in ms as text. */
export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : isoOf(ms);
}

export function toWireKey(key: GatewayKey): z.output<typeof wireKey> {
  const { id, prefix, disabled: isDisabled } = key;
  return {
    id,
    name: key.name,
    role: key.role,
    owner: key.owner,
    metadata: { ...key.metadata },
    prefix,
    models: key.models && [...key.models],
    on_disconnect: key.onDisconnect,
    created_at: isoOf(key.createdAt),
    last_used_at: isoOrNull(key.lastUsedAt),
    expires_at: isoOrNull(key.expiresAt),
    disabled: isDisabled,
    revoked_at: isoOrNull(key.revokedAt),
    previous_secret_until: isoOrNull(key.previousSecretUntil),
  };
}

export function toWireAuditEntry({
  at,
  keyId,
  details,
  ...entry
}: AuditEntry): z.output<typeof wireAuditEntry> {
  return { ...entry, at: isoOf(at), key_id: keyId, details: { ...details } };
}
