import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { environmentSchema } from "../../src/config/environment-schema.ts";

const names = Object.keys(environmentSchema.shape);

/** A row of the table of settings. Numbers are written without separators. */
interface Row {
  readonly name: string;
  readonly standard: string;
  readonly bounds: string;
}

function readRows(): Row[] {
  const page = readFileSync("docs/configuration.md", "utf8");
  const table = page.slice(page.indexOf("## Settings"), page.indexOf("### Secrets in files"));
  return [...table.matchAll(/^\| `([A-Z_]+)` \|(.*)\|$/gm)].map(([, name = "", cells = ""]) => {
    const [, , standard = "", bounds = ""] = cells
      .split("|")
      .map((cell) => cell.trim().replaceAll(/(?<=\d),(?=\d{3})/g, ""));
    return { name, standard, bounds };
  });
}

/** Whether a setting takes a value. */
function takes(name: string, value: string): boolean {
  return environmentSchema.partial().safeParse({ [name]: value }).success;
}

/** The lines of `.env.example`: each setting with its value, and the comment above it. */
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
const ranges = rows.flatMap(({ name, standard, bounds }) => {
  const [, min, max] = /^(\d+) to (\d+)$/.exec(bounds) ?? [];
  return min === undefined || max === undefined ? [] : [{ name, standard, min, max }];
});

test("the table of settings has a row for each setting, and for nothing else", () => {
  const rowNames = rows.map(({ name }) => name);
  expect(new Set(rowNames)).toEqual(new Set(names));
  expect(rowNames).toHaveLength(names.length);
});

test(".env.example has a line for each setting, and all of them together are valid", () => {
  const lines = Object.fromEntries([...readExample()].map(([name, { value }]) => [name, value]));
  expect(new Set(Object.keys(lines))).toEqual(new Set(names));
  expect(loadConfig(lines)).toMatchObject({ port: 8080 });
});

test.each(ranges)("$name takes what the table says, from $min to $max", ({ name, min, max }) => {
  expect([takes(name, min), takes(name, max)]).toEqual([true, true]);
  expect([takes(name, String(Number(min) - 1)), takes(name, String(Number(max) + 1))]).toEqual([
    false,
    false,
  ]);
});

test.each(ranges)(".env.example states the bounds of $name", ({ name, min, max }) => {
  expect(readExample().get(name)?.comment.toLowerCase()).toContain(`from ${min} to ${max}`);
});

/** The defaults that the schema states; others depend on the machine or on other settings. */
const defaults = Object.entries(environmentSchema.parse({}))
  .filter(([name]) => name !== "BODY_MEMORY_BYTES")
  .filter(([, value]) => value !== undefined && !Array.isArray(value))
  .map(([name, value]) => ({ name, value: String(value) }));

test.each(defaults)("the table and .env.example state the default of $name, $value", ({ name, value }) => {
  expect(rows.find((row) => row.name === name)?.standard.replaceAll("`", "")).toBe(value);
  expect(readExample().get(name)?.value).toBe(value);
});

test("the table states no default for settings that have none", () => {
  const stated = new Set(defaults.map(({ name }) => name));
  const others = rows.filter(({ name }) => !stated.has(name)).map(({ standard }) => standard);
  expect(
    others.filter((text) => !/^none$|^a quarter|^half|^a sixteenth|DATABASE_URL|database/.test(text)),
  ).toEqual([]);
});
