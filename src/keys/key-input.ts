import { z } from "zod";
import { ALIASES_MAX, findAliasMistake } from "../request/model-aliases.ts";
import { normalizeModelId } from "../request/model-id.ts";
import { ANONYMOUS } from "../auth/caller-key.ts";
import { DAY_MS } from "../durations.ts";
import { endUserChangesSchema, limitChangesSchema, usdSchema } from "./limit-input.ts";

const GRACE_MAX_MS = 30 * DAY_MS;

/** Text without control characters: PostgreSQL cannot store NUL, and terminals execute escape sequences. */
// The pattern does not use \P{Cc}, because the page at /docs checks values against it without the flag u.
export const plainTextSchema = z
  .string()
  // oxlint-disable-next-line no-control-regex -- the pattern rejects control characters
  .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/u, "must not contain control characters");

/** The end of the year 9999 in ms since 1970: the last time that ISO 8601 writes with four digits for the year. */
const TIME_MAX_MS = 253_402_300_799_999;

/**
 * Creates the schema of names, which appear in logs, URLs and command lines.
 * @param idPrefix prefix of the ids of what is named.
 */
export function createNameSchema(idPrefix: string): z.ZodString {
  return z
    .string()
    .regex(/^[\w.-]{1,64}$/, "must be up to 64 letters, digits, '.', '_' or '-'")
    .refine((text) => !/^\.+$/.test(text), "must not consist of dots only, which a URL cannot contain")
    .refine((text) => !text.startsWith(idPrefix), `must not begin with ${idPrefix}, as ids do`);
}

const name = createNameSchema("key_").refine(
  (text) => text !== ANONYMOUS,
  `must not be ${ANONYMOUS}, which is reserved for requests without a key`,
);
/** Id or name of a group. */
const group = plainTextSchema.min(1, "must not be empty").max(64, "must have at most 64 characters");
const owner = plainTextSchema.min(1, "must not be empty").max(128, "must have at most 128 characters");
const metadata = z
  .record(
    z.string().regex(/^\P{Cc}{1,64}$/u, "must have a name of 1 to 64 characters without control characters"),
    plainTextSchema.max(512, "must have at most 512 characters"),
  )
  .refine((fields) => Object.keys(fields).length <= 16, "must have at most 16 fields");
/**
 * A pattern such as `openrouter/*` or `openrouter/a*`, with a star and no second slash. It is ambiguous: `openrouter/` is
 * the author if the star matches a text without a slash, and the prefix if the star matches a text with a slash.
 */
const AMBIGUOUS = /^openrouter(?:\/(?!@preset\/)[^/:@]*)?\*[^/]*$/;
const models = z
  .array(
    z
      .string()
      .regex(
        /^[\x21-\x7e]{1,256}$/,
        "must be a model id without spaces, in which * matches any text, such as google/*",
      )
      .refine(
        (glob) => !AMBIGUOUS.test(glob),
        "has a star after openrouter/, which may be a prefix or an author; use google/*, * or a full id such as openrouter/auto",
      )
      // Model ids are compared without the prefix, so a pattern with the prefix would never match.
      .transform(normalizeModelId),
  )
  .min(1, "must name at least one model; leave it out to allow every model")
  .max(100, "must have at most 100 patterns");

/** Model ids by alias. */
const aliases = z
  .record(z.string(), z.string())
  .refine((fields) => Object.keys(fields).length <= ALIASES_MAX, `must have at most ${ALIASES_MAX} aliases`)
  .superRefine((fields, context) => {
    for (const [alias, target] of Object.entries(fields)) {
      const message = findAliasMistake(alias, target);
      if (message !== undefined) context.addIssue({ code: "custom", path: [alias], message });
    }
  })
  .transform((fields) =>
    Object.fromEntries(Object.entries(fields).map(([alias, target]) => [alias, normalizeModelId(target)])),
  );

/** A time in ms since 1970, or in ISO 8601 with a zone, which is converted to ms. */
const time = z.union(
  [
    z.int().min(0).max(TIME_MAX_MS, "must be before the year 10000, in ms since 1970"),
    z.iso.datetime({ offset: true }).transform(Date.parse),
  ],
  { error: "must be a time such as 2026-12-31T00:00:00Z, or ms since 1970" },
);

/** Schemas of the settings of a key. */
export const keyFields = {
  name: name.describe("Unique name: up to 64 letters, digits, '.', '_' or '-'"),
  role: z
    .enum(["caller", "admin"], { error: "must be caller or admin" })
    .describe("caller: the key calls models. admin: the key calls the admin API"),
  owner: owner.nullable().describe("The person or team that uses the key, in free text"),
  metadata: metadata.describe("Up to 16 texts by name, which the gateway only stores"),
  models: models
    .nullable()
    .describe(
      "Patterns of the models that the key may use, in which * matches any text, such as google/*; null: every model",
    ),
  aliases: aliases.describe(
    `Model ids by alias, at most ${ALIASES_MAX}; they replace all aliases of the key`,
  ),
  expiresAt: time
    .nullable()
    .describe(
      "The key is refused from then on: ISO 8601 with a zone, or ms since 1970; null: it never expires",
    ),
  disabled: z.boolean().describe("true: the key is refused until it is enabled again"),
  onDisconnect: z
    .enum(["cancel", "drain"], { error: "must be cancel or drain" })
    .describe(
      "When a client disconnects before the end of its response: cancel aborts the upstream request, drain reads the response to its end",
    ),
  group: group.nullable().describe("Id or name of the group that the key belongs to; null: none"),
  limits: limitChangesSchema,
  endUsers: endUserChangesSchema,
  unboundedReservationNanodollars: usdSchema
    .nullable()
    .describe(
      "US dollars that hard budgets reserve for a request whose cost has no bound; null: they refuse such a request",
    ),
  unblock: z
    .literal(true, { error: "must be true; leave it out to keep the block" })
    .describe("true ends the refusal of a key of which a request has cost more than was reserved for it"),
  graceMs: z
    .int()
    .min(0)
    .max(GRACE_MAX_MS, "must be at most 30 days")
    .describe("The previous secret stays valid this long, in ms; at most 30 days"),
};

/** The settings of a new key. */
export const newKeySchema = z.strictObject({
  name,
  role: keyFields.role.default("caller"),
  owner: keyFields.owner.default(null),
  metadata: keyFields.metadata.default({}),
  models: keyFields.models.default(null),
  aliases: keyFields.aliases.default({}),
  expiresAt: keyFields.expiresAt.default(null),
  disabled: keyFields.disabled.default(false),
  onDisconnect: keyFields.onDisconnect.default("cancel"),
  group: keyFields.group.default(null),
  limits: keyFields.limits.default({}),
  endUsers: keyFields.endUsers.default(null),
  unboundedReservationNanodollars: keyFields.unboundedReservationNanodollars.default(null),
});

const { role: _role, graceMs: _graceMs, ...changeable } = keyFields;

/** Changes of a key; a setting that is left out keeps its value. */
export const keyChangesSchema = z.strictObject(changeable).partial();

/** Options of a rotation. */
export const rotationSchema = z.strictObject({ graceMs: keyFields.graceMs.default(DAY_MS) });

export type NewKey = z.output<typeof newKeySchema>;
export type KeyChanges = z.output<typeof keyChangesSchema>;
export type Rotation = z.output<typeof rotationSchema>;
