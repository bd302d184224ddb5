import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { environmentSchema } from "../../src/config/environment-schema.ts";

const names = Object.keys(environmentSchema.shape);

/** A row of the table of settings. The thousands separators of its numbers are removed. */
interface Row {
  readonly name: string;
  readonly defaultText: string;
  readonly bounds: string;
}

function readRows(): Row[] {
  const page = readFileSync("docs/configuration.md", "utf8");
  const table = page.slice(page.indexOf("## Settings"), page.indexOf("### Secrets in files"));
  return [...table.matchAll(/^\| `([A-Z_]+)` \|(.*)\|$/gm)].map(([, name = "", cells = ""]) => {
    const [, , defaultText = "", bounds = ""] = cells
      .split("|")
      .map((cell) => cell.trim().replaceAll(/(?<=\d),(?=\d{3})/g, ""));
    return { name, defaultText, bounds };
  });
}

/** @returns whether a setting accepts a value. */
function accepts(name: string, value: string): boolean {
  return environmentSchema.partial().safeParse({ [name]: value }).success;
}

/** Parses `.env.example`. @returns each setting with its value and the comment above it. */
function readExample(): Map<string, { value: string; comment: string }> {
  const example = new Map<string, { value: string; comment: string }>();
  for (const paragraph of readFileSync(".env.example", "utf8").split("\n\n")) {
    const settings = [...paragraph.matchAll(/^#([A-Z_]+)=(.*)$/gm)];
    const comment = paragraph.replaceAll(/^#[A-Z_]+=.*$/gm, "").replaceAll(/\n# /g, " ");
    for (const [, name = "", value = ""] of settings) example.set(name, { value, comment });
  }
  return example;
}

const rows = readRows();
const ranges = rows.flatMap(({ name, defaultText, bounds }) => {
  const [, min, max] = /^(\d+) to (\d+)$/.exec(bounds) ?? [];
  return min === undefined || max === undefined ? [] : [{ name, defaultText, min, max }];
});

test("the table of settings has exactly one row for each setting", () => {
  const rowNames = rows.map(({ name }) => name);
  expect(new Set(rowNames)).toEqual(new Set(names));
  expect(rowNames).toHaveLength(names.length);
});

test(".env.example has a line for each setting, and is a valid configuration", () => {
  const lines = Object.fromEntries([...readExample()].map(([name, { value }]) => [name, value]));
  expect(new Set(Object.keys(lines))).toEqual(new Set(names));
  expect(loadConfig(lines)).toMatchObject({ port: 8080 });
});

test.each(ranges)("$name accepts the documented range, from $min to $max", ({ name, min, max }) => {
  expect([accepts(name, min), accepts(name, max)]).toEqual([true, true]);
  expect([accepts(name, String(Number(min) - 1)), accepts(name, String(Number(max) + 1))]).toEqual([
    false,
    false,
  ]);
});

test.each(ranges)(".env.example states the bounds of $name", ({ name, min, max }) => {
  expect(readExample().get(name)?.comment.toLowerCase()).toContain(`from ${min} to ${max}`);
});

/** Defaults that the schema states. Other defaults depend on the machine or on other settings. */
const defaults = Object.entries(environmentSchema.parse({}))
  .filter(([name]) => name !== "BODY_MEMORY_BYTES")
  .filter(([, value]) => value !== undefined && !Array.isArray(value))
  .map(([name, value]) => ({ name, value: String(value) }));

test.each(defaults)("the table and .env.example state the default of $name, $value", ({ name, value }) => {
  expect(rows.find((row) => row.name === name)?.defaultText.replaceAll("`", "")).toBe(value);
  expect(readExample().get(name)?.value).toBe(value);
});

test("the table states no default value for settings that have none", () => {
  const withDefault = new Set(defaults.map(({ name }) => name));
  const others = rows.filter(({ name }) => !withDefault.has(name)).map(({ defaultText }) => defaultText);
  expect(
    others.filter((text) => !/^none$|^a quarter|^half|^a sixteenth|DATABASE_URL|database/.test(text)),
  ).toEqual([]);
});
