import { expect, test } from "vitest";
import {
  findChanges,
  formatAmount,
  isErrorOf,
  toGroupBody,
  toGroupFields,
  toKeyBody,
  toKeyFields,
  toLocalTime,
} from "../../src/dashboard/page/keys/form-values.ts";
import { findKeyState } from "../../src/dashboard/page/keys/key-state.ts";
import { createCommand, findSampleModel } from "../../src/dashboard/page/keys/sample-command.ts";
import { shortenSecret } from "../../src/dashboard/page/keys/search-text.ts";
import { createSecret, getSecretPrefix } from "../../src/key-secret.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { keyChangesBodySchema, newKeyBodySchema } from "../../src/admin/api-schemas.ts";
import { toKeyJson } from "../../src/presentation/key-json.ts";
import { openTestDatabase } from "../support/test-database.ts";

const BY = { actor: "cli", source: "test" };

async function createKey(body: object) {
  const service = new KeyService(await openTestDatabase());
  const { key } = await service.create(newKeyBodySchema.parse(body), BY);
  return { service, json: toKeyJson(key) };
}

const ALL = {
  name: "bob",
  owner: "Bob",
  metadata: { team: "a=b" },
  models: ["google/*", "*:free"],
  aliases: { fast: "google/gemini-3-flash-preview" },
  expires_at: "2100-01-01T00:00:00Z",
  on_disconnect: "drain",
  limits: { budgets: { day: { limit_usd: 0.000_000_45, mode: "soft" } }, max_in_flight: 8 },
  end_users: { source: "user", budgets: { total: { limit_usd: 5 } } },
  unbounded_reservation_usd: 0.25,
};

test("the form of a key shows every setting, and sends nothing if nothing is changed", async () => {
  const { json } = await createKey(ALL);
  const before = toKeyBody(toKeyFields(json));
  expect(before).toMatchObject({
    ...ALL,
    limits: {},
    end_users: {},
    unbounded_reservation_usd: "0.25",
    expires_at: "2100-01-01T00:00:00.000Z",
  });
  expect(findChanges(before, toKeyBody(toKeyFields(json)))).toEqual({});
});

test("the form of a new key sends only what is filled in", () => {
  const empty = toKeyFields();
  const changes = findChanges(toKeyBody(empty), toKeyBody({ ...empty, name: " bob ", models: "a/b, c/*\n" }));
  expect(changes).toEqual({ name: "bob", models: ["a/b", "c/*"] });
  expect(newKeyBodySchema.parse(changes)).toMatchObject({ name: "bob", models: ["a/b", "c/*"] });
});

test("a changed budget is sent with its limit and mode, a removed one as null, and others are left out", async () => {
  const { service, json } = await createKey({
    ...ALL,
    limits: {
      budgets: { day: { limit_usd: 1, mode: "soft" }, week: { limit_usd: 2 }, month: { limit_usd: 3 } },
    },
  });
  const fields = toKeyFields(json);
  const { budgets } = fields.limits;
  const edited = { ...budgets, day: { ...budgets.day, limit: "1.5" }, week: { ...budgets.week, limit: " " } };
  const changes = findChanges(
    toKeyBody(fields),
    toKeyBody({ ...fields, limits: { ...fields.limits, budgets: edited } }),
  );
  expect(changes).toEqual({ limits: { budgets: { day: { limit_usd: "1.5", mode: "soft" }, week: null } } });
  const updated = toKeyJson(await service.update("bob", keyChangesBodySchema.parse(changes), BY));
  expect(updated.limits.budgets).toEqual({
    day: { limit_usd: 1.5, mode: "soft" },
    month: { limit_usd: 3, mode: "hard" },
  });
});

test("texts that are not valid are sent unchanged, so that the API names the field", () => {
  const fields = toKeyFields();
  const body = toKeyBody({ ...fields, name: "bob", limits: { ...fields.limits, max_in_flight: "many" } });
  const result = newKeyBodySchema.safeParse(findChanges(toKeyBody(fields), body));
  expect(result.error?.issues[0]?.path).toEqual(["limits", "max_in_flight"]);
  expect(toKeyBody({ ...fields, end_user_source: "user" }).end_users).toMatchObject({ source: "user" });
  expect(toKeyBody({ ...fields, expires_at: "soon" })["expires_at"]).toBe("soon");
});

test("a group's form sends changed limits", () => {
  const fields = toGroupFields();
  const limits = { ...fields.limits, requests_per_minute: "600" };
  expect(findChanges(toGroupBody(fields), toGroupBody({ name: "a", limits }))).toEqual({
    name: "a",
    limits: { requests_per_minute: 600 },
  });
});

test("an error belongs to the field whose member it names", () => {
  expect(isErrorOf("models", "models[3]")).toBe(true);
  expect(isErrorOf("limits.budgets.day", "limits.budgets.day.limit_usd")).toBe(true);
  expect(isErrorOf("name", "names")).toBe(false);
  expect(isErrorOf("name", null)).toBe(false);
});

test("amounts have no exponent, and times have the format of their input", () => {
  expect([1e-7, 0.45, 10, 100].map(formatAmount)).toEqual(["0.0000001", "0.45", "10", "100"]);
  const local = new Date(2026, 0, 2, 3, 4);
  expect(toLocalTime(local.toISOString())).toBe("2026-01-02T03:04");
  expect(toLocalTime(null)).toBe("");
});

test("the state of a key is the first reason for which the gateway refuses it", () => {
  const now = Date.parse("2026-11-29T12:00:00Z");
  const live = { revoked_at: null, disabled: false, expires_at: null, blocked_until: null };
  const past = "2026-11-29T11:00:00Z";
  const soon = "2026-11-30T12:00:00Z";
  const label = (fields: object): string => findKeyState({ ...live, ...fields }, now).label;
  expect([
    label({}),
    label({ expires_at: soon }),
    label({ blocked_until: soon }),
    label({ blocked_until: past }),
    label({ expires_at: past, blocked_until: soon }),
    label({ disabled: true, expires_at: past }),
    label({ revoked_at: past, disabled: true }),
  ]).toEqual(["active", "expires soon", "blocked", "active", "expired", "disabled", "revoked"]);
});

test("a secret in the search is cut to its prefix", () => {
  const secret = createSecret();
  expect(shortenSecret(` ${secret} `)).toBe(getSecretPrefix(secret));
  expect(shortenSecret("bob")).toBe("bob");
});

test("the sample command uses a model that the key may use, and quotes it for the shell", () => {
  expect(findSampleModel(null)).toBe("openai/gpt-4o-mini");
  expect(findSampleModel(["google/*", "a/b"])).toBe("a/b");
  expect(findSampleModel(["google/*"])).toBeUndefined();
  const key = { role: "caller", secret: "sk-slc-1" } as const;
  expect(createCommand("http://localhost:8080", key, "a/b'c")).toContain(String.raw`{"model":"a/b'\''c",`);
  expect(createCommand("http://h", { ...key, role: "admin" }, "")).toContain("'http://h/admin/v1/keys'");
});
