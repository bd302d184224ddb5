import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { normalizeModelId, hasOptionalPrefix } from "../../src/request/model-id.ts";
import { LISTED_IDS, SUFFIXES } from "../fixtures/model-ids.ts";

const FULL_LIST = new URL("../../../shared/specs/openrouter-model-ids.txt", import.meta.url);

const STRIPPED: readonly [requested: string, forwarded: string][] = [
  ["openrouter/google/gemini-3-flash-preview", "google/gemini-3-flash-preview"],
  ["openrouter/openrouter/auto", "openrouter/auto"],
  ["openrouter/openrouter/auto:online", "openrouter/auto:online"],
  ["openrouter/openrouter/horizon-beta", "openrouter/horizon-beta"],
  ["openrouter/~openai/gpt-latest", "~openai/gpt-latest"],
  ["openrouter/@preset/x", "@preset/x"],
  ["openrouter/@preset/a/b", "@preset/a/b"],
  ["openrouter/openai/gpt-4@preset/x", "openai/gpt-4@preset/x"],
  ["openrouter/openai/gpt-4:free@preset/x", "openai/gpt-4:free@preset/x"],
  ["openrouter/openai/gpt-4:a/b", "openai/gpt-4:a/b"],
  ["openrouter/Übung/模型🌊", "Übung/模型🌊"],
  ["openrouter/ openai/x ", " openai/x "],
];

const UNCHANGED: readonly string[] = [
  "google/gemini-3-flash-preview",
  "gpt-4o",
  "openrouter/auto",
  "openrouter/auto:online",
  "openrouter/auto@preset/x",
  "openrouter/auto@preset/a/b",
  "openrouter/auto:online@preset/x",
  "openrouter/horizon-beta",
  "openrouter/horizon-beta:a/b",
  "openrouter/@preset/",
  "openrouter/@preset",
  "openrouter/openrouter/openai/x",
  "openrouter/a/b/c",
  "openrouter/a/",
  "openrouter/a/:free",
  "openrouter/a/@preset/x",
  "openrouter//x",
  "openrouter//",
  "openrouter/:free/x",
  "openrouter/@x/y",
  "openrouter/",
  "openrouter",
  "openrouterx/a/b",
  "openrouter:/a/b",
  "OpenRouter/openai/x",
  "OPENROUTER/openai/x",
  " openrouter/openai/x",
  "openrouter\\/openai/x",
  "@preset/x",
  "x/openrouter/y",
  "",
];

test.each(STRIPPED)("%j is forwarded as %j", (requested, forwarded) => {
  expect(normalizeModelId(requested)).toBe(forwarded);
  expect(hasOptionalPrefix(requested)).toBe(true);
});

test.each(UNCHANGED)("%j is forwarded unchanged", (requested) => {
  expect(normalizeModelId(requested)).toBe(requested);
  expect(hasOptionalPrefix(requested)).toBe(false);
});

/** Tries each id with each suffix, with and without the prefix. @returns those whose forwarded spelling is wrong. */
function findWrongIds(ids: readonly string[]): string[] {
  return ids
    .flatMap((id) => SUFFIXES.map((suffix) => id + suffix))
    .flatMap((id) => [
      [id, id] as const,
      [`openrouter/${id}`, id] as const,
      // A normalized id must not change when it is normalized again.
      [normalizeModelId(`openrouter/${id}`), id] as const,
    ])
    .filter(([requested, forwarded]) => normalizeModelId(requested) !== forwarded)
    .map(([requested]) => requested);
}

test("removes exactly one prefix from listed ids, and changes no id without the prefix", () => {
  expect(LISTED_IDS).toHaveLength(40);
  expect(SUFFIXES).toHaveLength(10);
  expect(findWrongIds(LISTED_IDS)).toEqual([]);
});

test("removes exactly one prefix from all ids of OpenRouter's full list, and changes no id without the prefix", async ({
  annotate,
}) => {
  const hasFullList = existsSync(FULL_LIST);
  const ids = hasFullList ? readFileSync(FULL_LIST, "utf8").split("\n").filter(Boolean) : LISTED_IDS;
  if (!hasFullList) {
    const warning = `NOT CHECKED: OpenRouter's full list of models is missing; only ${ids.length} ids were tested`;
    console.warn(warning);
    await annotate(warning);
  }
  expect(ids).toHaveLength(hasFullList ? 413 : 40);
  expect(findWrongIds(ids)).toEqual([]);
});
