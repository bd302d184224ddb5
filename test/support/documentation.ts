import { globSync, readFileSync } from "node:fs";

/** All documentation pages. */
export const PAGES: readonly string[] = [
  "README.md",
  "SECURITY.md",
  "CHANGELOG.md",
  ...globSync("docs/**/*.md").toSorted(),
];

/** A fenced code block of a page. */
export interface CodeBlock {
  readonly page: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  /** The language after the opening fence; empty if there is none. */
  readonly language: string;
  readonly text: string;
  /** The HTML comment on the line before the fence. It names the test that runs the block, or says why no test runs it. */
  readonly note: string | undefined;
}

/** Returns the fenced code blocks of a page. */
export function readCodeBlocks(page: string): CodeBlock[] {
  const text = readFileSync(page, "utf8");
  return [...text.matchAll(/(?:^<!-- (.*) -->\n)?^```(\w*)\n([\s\S]*?)^```$/gm)].map((match) => {
    const [whole, note, language = "", body = ""] = match;
    const fence = match.index + whole.indexOf("```");
    return { page, line: text.slice(0, fence).split("\n").length, language, text: body, note };
  });
}
