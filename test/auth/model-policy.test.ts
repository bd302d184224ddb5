import * as fc from "fast-check";
import { expect, test } from "vitest";
import { allowsModel } from "../../src/auth/model-policy.ts";

test("a key without patterns may use every model", () => {
  expect(allowsModel(null, "any/model@preset/x")).toBe(true);
});

test.each([
  ["google/*", "google/gemini-3-flash-preview", true],
  ["google/*", "google/gemini-3-flash-preview:free", true],
  ["google/*", "google/", true],
  ["google/*", "xgoogle/gemini", false],
  ["*:free", "a/b:free", true],
  ["*:free", "a/b:freeze", false],
  ["openai/gpt-4o", "openai/gpt-4o", true],
  ["openai/gpt-4o", "openai/gpt-4o-mini", false],
  ["openai/gpt-4o", "OPENAI/gpt-4o", false],
  ["openai/gpt.4o", "openai/gpt-4o", false],
  ["a*a", "a", false],
  ["*ab*ab*", "xabx", false],
  ["*ab*ab", "abab", true],
  ["*", "openrouter/auto", true],
  ["**", "openrouter/auto", true],
  ["*", "", true],
])("allowsModel with the pattern %s and the model %s returns %s", (pattern, model, allowed) => {
  expect(allowsModel([pattern], model)).toBe(allowed);
});

test.each([
  ["*", "openai/gpt-4o@preset/x", false],
  ["*", "@preset/x", false],
  ["openai/*", "openai/gpt-4o@preset/x", false],
  ["@preset/x", "@preset/x", true],
  ["@preset/*", "@preset/any", true],
  ["*@preset/x", "openai/gpt-4o@preset/x", true],
  ["*@preset/x", "openai/gpt-4o@preset/y", false],
  ["*@preset/x", "openai/gpt-4o@other@preset/x", false],
])(
  "a star matches no preset: allowsModel with the pattern %s and the model %s returns %s",
  (pattern, model, allowed) => {
    expect(allowsModel([pattern], model)).toBe(allowed);
  },
);

test("a model is allowed if one pattern of a key matches it, and an empty list allows no model", () => {
  expect(allowsModel(["a/*", "b/*"], "b/c")).toBe(true);
  expect(allowsModel([], "b/c")).toBe(false);
});

test("patterns are equivalent to a regular expression with [^@]* for each star", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "@", "/", "*"), maxLength: 8 });
  fc.assert(
    fc.property(letters, letters, (pattern, model) => {
      const source = pattern
        .split("*")
        .map((text) => RegExp.escape(text))
        .join("[^@]*");
      expect(allowsModel([pattern], model)).toBe(new RegExp(`^${source}$`).test(model));
    }),
    { numRuns: 5_000 },
  );
});

test("matches a long name against a pattern of many stars in linear time", () => {
  expect(allowsModel([`${"*a".repeat(100)}*b`], "a".repeat(10_000_000))).toBe(false);
  expect(allowsModel(["*/*:free"], "/".repeat(10_000_000))).toBe(false);
});

test.each([
  [null, "any/thing", true],
  [["google/*"], "google/gemini", true],
  [["google/*"], "openai/google/x", false],
  [["google/*"], "google/gemini@preset/x", false],
  [["google/*@preset/x"], "google/gemini@preset/x", true],
  [["*:free"], "meta/llama:free", true],
  [["*:free"], "meta/llama:freely", false],
  [["@preset/*"], "@preset/support", true],
  [["openai/gpt-4.1"], "openai/gpt-4x1", false],
  [["*"], "a/b", true],
  [["****************************a"], "a".repeat(50_000), true],
  [[`${"*a".repeat(120)}*b`], "a".repeat(50_000), false],
])("a key with patterns may use only the models that a pattern matches (%#)", (models, model, allowed) => {
  expect(allowsModel(models, model)).toBe(allowed);
});
