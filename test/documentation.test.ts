import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { PAGES, readCodeBlocks } from "./support/documentation.ts";

const README_LINES_MAX = 150;
/** Languages of the code blocks that a reader runs or uses as a configuration. Blocks in other languages show data. */
const RUNNABLE: ReadonlySet<string> = new Set([
  "sh",
  "js",
  "ts",
  "python",
  "go",
  "java",
  "nginx",
  "haproxy",
  "caddy",
  "yaml",
]);

/** @returns the anchors that GitHub derives from the headings of a page. */
function listAnchors(page: string): string[] {
  const text = readFileSync(page, "utf8").replaceAll(/^```[\s\S]*?^```$/gm, "");
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

test("the README has at most 150 lines", () => {
  expect(readFileSync("README.md", "utf8").split("\n").length - 1).toBeLessThanOrEqual(README_LINES_MAX);
});

test.each(PAGES)("the relative links of %s lead to files and headings that exist", (page) => {
  const text = readFileSync(page, "utf8").replaceAll(/^```[\s\S]*?^```$/gm, "");
  const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [file = "", anchor] = target.split("#");
      const path = file === "" ? page : join(dirname(page), file);
      return !existsSync(path) || (anchor !== undefined && !listAnchors(path).includes(anchor));
    });
  expect(broken).toEqual([]);
});

test.each(PAGES)(
  "each runnable code block of %s names the test that runs it, or states why no test runs it",
  (page) => {
    const unmarked = readCodeBlocks(page)
      .filter(({ language }) => RUNNABLE.has(language))
      .filter(({ note = "" }) => {
        const [, runner] = /^run by ([^\s,]+)(?:, \S.*)?$/.exec(note) ?? [];
        return runner === undefined ? !/^not run: \S/.test(note) : !existsSync(runner);
      })
      .map(({ line, text }) => `${page}:${line} ${text.split("\n", 1)[0]}`);
    expect(unmarked).toEqual([]);
  },
);

test("each block of JSON and YAML on a page, and each YAML file in deploy/, can be parsed", () => {
  const blocks = PAGES.flatMap(readCodeBlocks).filter(({ language }) => /^(?:json|yaml)$/.test(language));
  for (const { language, text } of blocks)
    expect(() => (language === "json" ? JSON.parse(text) : parse(text))).not.toThrow();
  const documents = globSync("deploy/**/*.yaml").flatMap((path) =>
    parseAllDocuments(readFileSync(path, "utf8")),
  );
  expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
  expect([blocks.length > 0, documents.length > 2]).toEqual([true, true]);
});

test("docs/errors.md lists exactly the errors of src/errors.ts, with their statuses", () => {
  const table = readFileSync("src/errors.ts", "utf8");
  const thrown = [...table.matchAll(/^ {2}(\w+): \{\s+status: (\d+)/gm)].map(
    ([, code, status]) => `${code} ${status}`,
  );
  const rows = readFileSync("docs/errors.md", "utf8").matchAll(/^\| (\d{3})[^|]*\| `\w+` \| ([^|]+) \|/gm);
  const documented = [...rows].flatMap(([, status, codes = ""]) =>
    [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => `${code} ${status}`),
  );
  expect(documented.toSorted()).toEqual(thrown.toSorted());
});

test("docs/operations/logs.md lists exactly the log messages of src", () => {
  const logged = globSync("src/**/*.ts")
    .map((path) => readFileSync(path, "utf8"))
    .flatMap((text) => [
      ...text.matchAll(
        /\.(?:trace|debug|info|warn|error|fatal)\((?:(?!logger\.)[\s\S]){0,300}?"([^"]+)",?\s*\)/g,
      ),
    ])
    .map(([, message = ""]) => message)
    .filter((message) => message !== "request");
  const page = readFileSync("docs/operations/logs.md", "utf8");
  const documented = [...page.matchAll(/^\| `(\w+: [^`]+)` \|/gm)].map(([, message = ""]) => message);
  expect(documented.toSorted()).toEqual([...new Set(logged)].toSorted());
});
