import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { environmentSchema } from "../../src/config/environment-schema.ts";

const names = Object.keys(environmentSchema.shape);

test("the README's table has a row for each setting, and for nothing else", () => {
  const readme = readFileSync("README.md", "utf8");
  const table = readme.slice(
    readme.indexOf("## Configuration"),
    readme.indexOf("## What happens to a request"),
  );
  const rows = [...table.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name);
  expect(new Set(rows)).toEqual(new Set(names));
  expect(rows).toHaveLength(names.length);
});

test(".env.example has a line for each setting, and all of them together are valid", () => {
  const text = readFileSync(".env.example", "utf8");
  const lines = Object.fromEntries(
    [...text.matchAll(/^#([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
  expect(new Set(Object.keys(lines))).toEqual(new Set(names));
  expect(loadConfig(lines)).toMatchObject({ port: 8080 });
});
