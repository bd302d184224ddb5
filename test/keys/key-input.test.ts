import { expect, test } from "vitest";
import { keyChangesSchema, newKeySchema, rotationSchema } from "../../src/keys/key-input.ts";

const listMistakes = (schema: typeof newKeySchema, input: unknown): string[] =>
  schema.safeParse(input).error?.issues.map(({ path }) => path.join(".")) ?? [];

test("a new key requires only a name, and every other field has a default", () => {
  expect(newKeySchema.parse({ name: "team-a" })).toEqual({
    name: "team-a",
    role: "caller",
    owner: null,
    metadata: {},
    models: null,
    aliases: {},
    expiresAt: null,
    disabled: false,
    onDisconnect: "cancel",
    group: null,
    limits: {},
    endUsers: null,
    unboundedReservationNanodollars: null,
  });
  expect(newKeySchema.safeParse({}).success).toBe(false);
});

test("keeps all fields of a key as given, and converts times to milliseconds", () => {
  const input = {
    name: "a.b_c-D9",
    role: "admin",
    owner: "Zoë 🌱",
    metadata: { team: "кухня", empty: "" },
    models: ["openai/*", "@preset/x"],
    aliases: { fast: "a/b", "claude-haiku-4-5": "@preset/x" },
    disabled: true,
    onDisconnect: "drain",
    group: "team-a",
    limits: { requests_per_minute: 60, max_in_flight: null },
    endUsers: { source: "user" },
  };
  const given = { ...input, unboundedReservationNanodollars: 0.5, expiresAt: "2026-12-31T23:00:00+01:00" };
  expect(newKeySchema.parse(given)).toEqual({
    ...input,
    unboundedReservationNanodollars: 500_000_000,
    expiresAt: Date.UTC(2026, 11, 31, 22),
  });
  expect(newKeySchema.parse({ ...input, expiresAt: 12 }).expiresAt).toBe(12);
});

test.each([
  ["openrouter/google/*", "google/*"],
  ["openrouter/openai/gpt-4o", "openai/gpt-4o"],
  ["openrouter/*/gpt-4o:free", "*/gpt-4o:free"],
  ["openrouter/@preset/*", "@preset/*"],
  ["openrouter/openrouter/auto", "openrouter/auto"],
  ["openrouter/auto", "openrouter/auto"],
  ["openrouter/auto:*", "openrouter/auto:*"],
  ["*", "*"],
])("stores a pattern with OpenRouter's name for the models: %s as %s", (given, stored) => {
  expect(newKeySchema.parse({ name: "ok", models: [given] }).models).toEqual([stored]);
  expect(keyChangesSchema.parse({ models: ["a/b", given] }).models).toEqual(["a/b", stored]);
});

test("stores the target of an alias with OpenRouter's name for the model", () => {
  const aliases = { fast: "openrouter/google/gemini-3-flash-preview", auto: "openrouter/auto" };
  const stored = { fast: "google/gemini-3-flash-preview", auto: "openrouter/auto" };
  expect(newKeySchema.parse({ name: "ok", aliases }).aliases).toEqual(stored);
  expect(keyChangesSchema.parse({ aliases }).aliases).toEqual(stored);
});

test.each(["openrouter/*", "openrouter/*:free", "openrouter/google*", "openrouter*"])(
  "refuses the pattern %s, because its prefix may be an author, and states the alternatives",
  (glob) => {
    const { error } = newKeySchema.safeParse({ name: "ok", models: [glob] });
    expect(error?.issues.map(({ message }) => message)).toEqual([
      expect.stringContaining("use google/*, * or"),
    ]);
  },
);

test.each([
  [
    "name",
    ["", "a b", "a/b", "ключ", "a\n", "x".repeat(65), "key_abc", "anonymous", "..", "' OR '1'='1", 5, null],
  ],
  ["role", ["root", "Admin", "", null, 1]],
  ["owner", ["", "x".repeat(129), 5, {}, "a\0b", "a\u001b[31m", "a\nb"]],
  [
    "metadata",
    [
      { a: 5 },
      { "": "x" },
      { a: "x".repeat(513) },
      { ["x".repeat(65)]: "" },
      { a: "\0" },
      { "a\n": "" },
      [],
      "text",
      null,
    ],
  ],
  ["metadata", [Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`m${index}`, ""]))]],
  ["models", [[], ["a b"], [""], ["x".repeat(257)], ["ключ"], "openai/*", Array(101).fill("a"), [null]]],
  [
    "aliases",
    [
      { "a/b": "c/d" },
      { "a:free": "c/d" },
      { "@preset/x": "c/d" },
      { "..": "c/d" },
      { "": "c/d" },
      { ["x".repeat(65)]: "c/d" },
      { fast: "smart", smart: "c/d" },
      { fast: "" },
      { fast: 'a/b"' },
      { fast: `a/${"x".repeat(255)}` },
      { fast: null },
      Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`a${index}`, "c/d"])),
      ["fast"],
      "fast=a/b",
      null,
    ],
  ],
  [
    "expiresAt",
    ["tomorrow", "2026-12-31", "2026-12-31T23:00:00", -1, 1.5, 1e300, 253_402_300_800_000, true, {}],
  ],
  ["disabled", ["true", 1, null]],
  ["onDisconnect", ["abort", "", null]],
  ["group", ["", "x".repeat(65), "a\nb", 5]],
  [
    "limits",
    [
      [],
      "day",
      { budget: {} },
      { budgets: { year: { limit_usd: 1 } } },
      { budgets: { day: 0.45 } },
      { budgets: { day: { limit_usd: -1 } } },
      { budgets: { day: { limit_usd: 0.1234567891 } } },
      { budgets: { day: { limit_usd: "9000000.000000001" } } },
      { budgets: { day: { limit_usd: null } } },
      { budgets: { day: { mode: "soft" } } },
      { budgets: { day: { limit_usd: 1, mode: "medium" } } },
      ...["requests_per_minute", "requests_per_day", "tokens_per_minute", "max_in_flight"].flatMap((name) =>
        [0, -1, 1.5, "5", 1e300].map((value) => ({ [name]: value })),
      ),
    ],
  ],
  [
    "endUsers",
    [
      "user",
      { source: "User" },
      { source: "header:" },
      { source: "header:a b" },
      { source: "header:a:b" },
      { source: "header:Authorization" },
      { source: "header:cookie" },
      { source: "header:X-Api-Key" },
      { source: `header:${"x".repeat(65)}` },
      { source: null },
      { source: "user", budgets: { day: { limit_usd: -1 } } },
      { sources: "user" },
    ],
  ],
  ["unboundedReservationNanodollars", [-1, "x", {}, true, 1e-10]],
])("refuses an invalid %s and names the field, for a new key and for an update", (field, wrongs) => {
  for (const wrong of wrongs) {
    const [path] = listMistakes(newKeySchema, { name: "ok", [field]: wrong });
    expect([wrong, path?.split(".")[0]]).toEqual([wrong, field]);
    expect(keyChangesSchema.safeParse({ [field]: wrong }).success).toBe(false);
  }
});

test("refuses unknown fields, and an update of the role", () => {
  expect(newKeySchema.safeParse({ name: "ok", colour: "red" }).success).toBe(false);
  expect(newKeySchema.safeParse({ name: "ok", id: "key_1" }).success).toBe(false);
  expect(keyChangesSchema.safeParse({ role: "admin" }).success).toBe(false);
  expect(keyChangesSchema.safeParse({ graceMs: 5 }).success).toBe(false);
});

test("an update contains only the given fields, and null clears an optional field", () => {
  expect(keyChangesSchema.parse({})).toEqual({});
  const cleared = { owner: null, models: null, expiresAt: null };
  expect(keyChangesSchema.parse(cleared)).toEqual(cleared);
});

test("a budget of 0 is valid, and amounts are parsed exactly", () => {
  const day = { limit_usd: 0 };
  const month = { limit_usd: "8999999.123456789", mode: "soft" };
  expect(keyChangesSchema.parse({ limits: { budgets: { day, month, week: null } } }).limits).toEqual({
    budgets: {
      day: { limitNanodollars: 0, mode: "hard" },
      month: { limitNanodollars: 8_999_999_123_456_789, mode: "soft" },
      week: null,
    },
  });
});

test("the header of end users is stored in lower case, and a header with a secret is refused with the reason", () => {
  const endUsers = { source: "header:X-OpenWebUI-User-Email" };
  expect(keyChangesSchema.parse({ endUsers }).endUsers).toEqual({ source: "header:x-openwebui-user-email" });
  const { error } = keyChangesSchema.safeParse({ endUsers: { source: "header:Authorization" } });
  expect(error?.issues.map(({ message }) => message)).toEqual([
    "must not be the header authorization, which contains secrets; use a header that names the user",
  ]);
});

test("a key can be unblocked by an update, but not blocked", () => {
  expect(keyChangesSchema.parse({ unblock: true })).toEqual({ unblock: true });
  for (const unblock of [false, null, "true"])
    expect(keyChangesSchema.safeParse({ unblock }).success).toBe(false);
});

test("metadata cannot change Object.prototype", () => {
  const input = JSON.parse('{"name":"ok","metadata":{"__proto__":"x","constructor":"y"}}') as unknown;
  newKeySchema.safeParse(input);
  expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  expect(Object.getPrototypeOf({})).toBe(Object.prototype);
});

test("an old secret stays valid for a day after a rotation, or for a given time of up to thirty days", () => {
  const day = 86_400_000;
  expect(rotationSchema.parse({})).toEqual({ graceMs: day });
  expect(rotationSchema.parse({ graceMs: 0 })).toEqual({ graceMs: 0 });
  expect(rotationSchema.parse({ graceMs: 30 * day })).toEqual({ graceMs: 30 * day });
  for (const graceMs of [-1, 1.5, 30 * day + 1, "5", null, Number.NaN])
    expect(rotationSchema.safeParse({ graceMs }).success).toBe(false);
});
