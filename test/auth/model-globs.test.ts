import * as fc from "fast-check";
import { expect, test } from "vitest";
import { allowsModel } from "../../src/auth/model-policy.ts";

test("globs mean what a regular expression with [^@]* for each star means", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "@", "/", "*"), maxLength: 8 });
  fc.assert(
    fc.property(letters, letters, (glob, model) => {
      const source = glob
        .split("*")
        .map((text) => RegExp.escape(text))
        .join("[^@]*");
      expect(allowsModel([glob], model)).toBe(new RegExp(`^${source}$`).test(model));
    }),
    { numRuns: 5_000 },
  );
});

test("a name of many megabytes is told from a glob of many stars in one pass", () => {
  expect(allowsModel([`${"*a".repeat(100)}*b`], "a".repeat(10_000_000))).toBe(false);
  expect(allowsModel(["*/*:free"], "/".repeat(10_000_000))).toBe(false);
});

test.each([
  ["*@preset/x", "openai/gpt-4o@preset/x", true],
  ["*@preset/x", "openai/gpt-4o@preset/y", false],
  ["*@preset/x", "openai/gpt-4o@other@preset/x", false],
  ["a*a", "a", false],
  ["*ab*ab*", "xabx", false],
  ["*ab*ab", "abab", true],
])("%s and %s: %s", (glob, model, allowed) => {
  expect(allowsModel([glob], model)).toBe(allowed);
});
