import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** Phrases that most readers must read twice, each with the words to use instead. To forbid another phrase, add a line. */
const PHRASES: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\b(?:is|are|was|were|be|been|being|gets?|not|and) told\b/i, "receives, is called with, logs, reports"],
  [/\btold of\b/i, "reported, logged, called with"],
  [/\bunder way\b/i, "in flight, running"],
  [/\blets? go of\b/i, "releases"],
  [/\bfor ever\b/i, "forever, without limit"],
  [/\b(?:to|can|could|cannot|can't) be had\b/i, "available, can be opened"],
  [/\b(?:goes?|going|went) on\b/i, "continues"],
  [/\bstands? (?:in|at|on|for|behind|here|there|nowhere|elsewhere|twice|where)\b/i, "is in, is at"],
  [/\bthe one before\b/i, "the previous one"],
  [/\b(?:secret|page|process|sentence|value) (?:of )?before(?=[.,;:)]|$)/i, "the previous"],
  [/\bfor so long\b|\bso long (?:a|as it|that)\b/i, "this long"],
  [/\b(?:is|are|was|were|be) heard of\b|\bhears? of\b/i, "is notified of, receives"],
  [/\bwhoever\b/i, "the client, the reader, the operator"],
  [/\b(?:is|be|are) well again\b|\bwell again\b|\bunwell\b/i, "recovers, has failed"],
  [/\boftener\b/i, "more often"],
  [/\bput aside\b|\bkept aside\b/i, "quarantined"],
  [/\bbroken off\b|\bbreaks? (?:it )?off\b/i, "aborted"],
  [/\bit will be again\b|\bit is tried again\b/i, "will retry, is retried"],
  [/\blooked after\b/i, "maintained"],
  [/\bsaid of\b|\bsays of\b/i, "states about"],
];

/** First words that leave a comment, a heading or a test title without a subject. */
const HEADLESS = /^(?:what|whatever|whoever|whose|who)\b/i;

const files = globSync([
  "src/**/*.{ts,tsx,js}",
  "test/**/*.ts",
  "tools/{simulator,verify,bench}/**/*.ts",
  "tools/sdks/*/*.{ts,py,go}",
  "docs/**/*.md",
  "deploy/Caddyfile",
  "deploy/**/*.*",
  "README.md",
  "CHANGELOG.md",
  "SECURITY.md",
  ".env.example",
  "Dockerfile",
]).filter((path) => path !== "test/prose.test.ts" && !/node_modules|dashboard\/dist/.test(path));

/** @returns the lines of a text that match a pattern, as `path:line: text`. */
function findMatches(path: string, lines: readonly string[], pattern: RegExp): string[] {
  return lines.flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : []));
}

const texts = files.map((path) => ({ path, lines: readFileSync(path, "utf8").split("\n") }));

test.each(PHRASES)("no text has %s", (pattern, instead) => {
  const found = texts.flatMap(({ path, lines }) => findMatches(path, lines, pattern));
  expect(found, `write instead: ${instead}`).toEqual([]);
});

/** @returns the first line of each comment and heading, and each test title, with its place. */
function listOpenings(path: string, lines: readonly string[]): { place: string; text: string }[] {
  const opening = path.endsWith(".md")
    ? /^#+ (.*)/
    : /^\s*(?:\/\*\*? ?|\/\/ )(\S.*)|\b(?:test|describe|it)(?:\.[a-z]+)*(?:\([^"`]*\))?\(\s*["`](.*)|^\s*["`]([^"`]*)["`], (?:async )?\(/;
  return lines.flatMap((line, index) => {
    const match = opening.exec(line);
    const text = match?.slice(1).find((group) => group !== undefined);
    const previous = lines[index - 1]?.trim() ?? "";
    // A line comment that continues the previous line is not an opening.
    const continues = line.trim().startsWith("// ") && previous.startsWith("// ");
    return text === undefined || continues ? [] : [{ place: `${path}:${index + 1}`, text }];
  });
}

test("no comment, heading or test title opens without a subject", () => {
  const found = texts
    .flatMap(({ path, lines }) => listOpenings(path, lines))
    .filter(({ text }) => HEADLESS.test(text))
    .map(({ place, text }) => `${place}: ${text}`);
  expect(found).toEqual([]);
});
