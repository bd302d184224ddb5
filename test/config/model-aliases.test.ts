import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { listMistakes } from "../support/config-mistakes.ts";

test("parses names and models, ignores white space and empty items, and removes the optional prefix", () => {
  const text =
    " fast = google/gemini-3-flash-preview, ,smart=openrouter/anthropic/claude-opus-5,auto=openrouter/auto,";
  expect([...loadConfig({ MODEL_ALIASES: text }).modelAliases]).toEqual([
    ["fast", "google/gemini-3-flash-preview"],
    ["smart", "anthropic/claude-opus-5"],
    ["auto", "openrouter/auto"],
  ]);
  expect(loadConfig({}).modelAliases.size).toBe(0);
});

test.each([
  ["secret", "must be name=model, such as"],
  ["=a/secret", "must have a name of up to 64"],
  ["google/secret=fast", "must have a name without '/', ':' and '@'"],
  ["openrouter/a/secret=a/b", "must have a name without '/', ':' and '@'"],
  ["secret:free=a/b", "must have a name without '/', ':' and '@'"],
  ["@secret=a/b", "must have a name without '/', ':' and '@'"],
  ["__proto__=a/secret", "must have a name of up to 64"],
  ["secret=", "must name a model id"],
  [
    "secret=first",
    "must name a model id of up to 256 characters, such as google/gemini-3-flash-preview, and not another alias",
  ],
  ["secret=a/b=c", "must name a model id"],
  ["first=secret/x", "repeats the name of another alias"],
])("reports a mistake in the item %j with the position of the item, without its text", (item, mistake) => {
  const mistakes = listMistakes({ MODEL_ALIASES: `first=a/b,${item},last=c/d` });
  expect(mistakes).toEqual([expect.stringContaining(`MODEL_ALIASES item 2 ${mistake}`)]);
  expect(mistakes.join()).not.toContain("secret");
});

test("accepts 100 aliases and refuses 101", () => {
  const format = (count: number): string =>
    Array.from({ length: count }, (_, index) => `a${index}=x/y`).join();
  expect(loadConfig({ MODEL_ALIASES: format(100) }).modelAliases.size).toBe(100);
  expect(listMistakes({ MODEL_ALIASES: format(101) })).toEqual([
    "MODEL_ALIASES has 101 items: remove some, at most 100 are allowed",
  ]);
});
