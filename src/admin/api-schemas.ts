import { z } from "zod";
import { ENDPOINT_NAMES } from "../endpoints/relayed-endpoints.ts";
import { toColumnText } from "../bounded-text.ts";
import { keyFields, type KeyChanges, type NewKey, plainTextSchema } from "../keys/key-input.ts";
import { DAY_MS } from "../durations.ts";

// Schemas that only the admin API uses: request bodies, query parameters and errors.

const { name, role, owner, metadata, models, aliases, expiresAt, disabled, onDisconnect, graceMs } =
  keyFields;
const { group, limits, endUsers, unboundedReservationNanodollars, unblock } = keyFields;

/** Body of `POST /admin/v1/keys`. */
export const newKeyBodySchema = z
  .strictObject({
    name,
    role: role.default("caller"),
    owner: owner.default(null),
    metadata: metadata.default({}),
    models: models.default(null),
    aliases: aliases.default({}),
    expires_at: expiresAt.default(null),
    disabled: disabled.default(false),
    on_disconnect: onDisconnect.default("cancel"),
    group: group.default(null),
    limits: limits.default({}),
    end_users: endUsers.default(null),
    unbounded_reservation_usd: unboundedReservationNanodollars.default(null),
  })
  .transform(({ expires_at, on_disconnect, end_users, unbounded_reservation_usd, ...rest }): NewKey => ({
    ...rest,
    expiresAt: expires_at,
    onDisconnect: on_disconnect,
    endUsers: end_users,
    unboundedReservationNanodollars: unbounded_reservation_usd,
  }));

/** Body of `PATCH /admin/v1/keys/{key}`. */
export const keyChangesBodySchema = z
  .strictObject({
    name,
    owner,
    metadata,
    models,
    aliases,
    expires_at: expiresAt,
    disabled,
    on_disconnect: onDisconnect,
    group,
    limits,
    end_users: endUsers,
    unbounded_reservation_usd: unboundedReservationNanodollars,
    unblock,
  })
  .partial()
  .transform(({ expires_at, on_disconnect, end_users, unbounded_reservation_usd, ...rest }): KeyChanges => ({
    ...rest,
    ...(expires_at !== undefined && { expiresAt: expires_at }),
    ...(on_disconnect !== undefined && { onDisconnect: on_disconnect }),
    ...(end_users !== undefined && { endUsers: end_users }),
    ...(unbounded_reservation_usd !== undefined && {
      unboundedReservationNanodollars: unbounded_reservation_usd,
    }),
  }));

/** The path parameter that selects a key. */
export const keyParamSchema = z.object({
  key: plainTextSchema.min(1).max(64).describe("Id or name of a key; the id if the key is revoked"),
});
/** The path parameter that selects a group of keys. */
export const groupParamSchema = z.object({
  group: plainTextSchema.min(1).max(64).describe("Id or name of a group"),
});

/** Body of `POST /admin/v1/keys/{key}/rotate`, which is optional. */
export const rotationBodySchema = z
  .strictObject({ grace_ms: graceMs.default(DAY_MS) })
  .nullish()
  .transform((body) => ({ graceMs: body?.grace_ms ?? DAY_MS }));

/** The error body of every route. */
const errorSchema = z
  .object({
    error: z
      .object({
        message: z.string().describe("The cause of the error and its remedy"),
        type: z.string().describe("Kind of the error, such as invalid_request_error"),
        param: z
          .string()
          .nullable()
          .describe("Path of the invalid field, or the name of the invalid parameter; null: none"),
        code: z.string().describe("Code of the error; the introduction lists them"),
      })
      .describe("The error"),
  })
  .describe("An error in OpenAI's shape");

/** The error responses of every route, by status. */
export const errorResponseSchemas = { "4xx": errorSchema, "5xx": errorSchema };

/** An optional text parameter of a query. */
export const queryTextSchema = plainTextSchema.max(256).optional();
/** The query parameter that selects a key. */
export const keyQuerySchema = queryTextSchema.describe("Id or name of a key; the id if the key is revoked");

/** The query parameter that selects an endpoint. */
export const endpointQuerySchema = z
  .enum(ENDPOINT_NAMES, { error: `must be one of ${ENDPOINT_NAMES.join(", ")}` })
  .optional()
  .describe("Only requests to this endpoint");
/** A text in a column of the ledger. Clients may send any text, so it is shortened as the ledger shortens it. */
export const ledgerTextQuerySchema = z
  .string()
  .min(1, "must not be empty")
  .transform(toColumnText)
  .optional();
/** The query parameter that selects a session. */
export const sessionQuerySchema = ledgerTextQuerySchema.describe(
  "Only requests of this session, which clients name in a header",
);
/** The query parameter that selects an end user. */
export const endUserQuerySchema = ledgerTextQuerySchema.describe(
  "Only requests of the end user with this name",
);

/** A query parameter that is true or, by default, false. */
export const flagSchema = z
  .enum(["true", "false"], { error: "must be true or false" })
  .default("false")
  .transform((text) => text === "true");

/** The query parameter that adds the current periods of budgets to a list. */
export const includeBudgetsSchema = flagSchema.describe("true: each entry has current_budgets");

/** The field of a list that leads to its next page. */
export const nextAfterSchema = z
  .string()
  .nullable()
  .describe("The `after` of the next page; null in the last page");

/** The query parameter for the number of entries in a page. */
export const pageLimitSchema = z.coerce
  .number()
  .int()
  .min(1)
  .max(500)
  .default(100)
  .describe("Number of entries in the page");
