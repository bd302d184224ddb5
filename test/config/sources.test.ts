import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { environmentSchema } from "../../src/config/environment-schema.ts";
import { addEnvFile, unquoteValue } from "../../src/config/sources.ts";
import { listMistakes } from "../support/config-mistakes.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

const SECRET = "s3cr3t-do-not-show";

/** Writes a temporary file for one test. @returns its path. */
function writeTemporary(content: string | Buffer, name = "file"): string {
  const path = join(createTemporaryDirectory(), name);
  writeFileSync(path, content);
  return path;
}

test.each([
  ['"a"', "a"],
  ["'a'", "a"],
  ["`a`", "a"],
  [' "a" \n', "a"],
  ['" a "', "a"],
  ["\"'a'\"", "a"],
  ['""', ""],
  ["''", ""],
  ['" "', ""],
  ['a "b" c', 'a "b" c'],
  ["it's", "it's"],
])("unquoteValue reads %j as %j", (text, value) => {
  expect(unquoteValue(text)).toBe(value);
});

test.each(['"a', 'a"', "'a\"", '"', "'", '"a" and "b"', '"a","b"', "“a”", "‘a’", "\"a'"])(
  "unquoteValue rejects %j as ambiguous",
  (text) => {
    expect(unquoteValue(text)).toBeUndefined();
  },
);

test("reports a setting with mismatched quotes by its name, without its value", () => {
  for (const name of Object.keys(environmentSchema.shape))
    for (const text of [`"${SECRET}`, `${SECRET}'`, `"${SECRET}" "x"`]) {
      expect(listMistakes({ [name]: text })).toEqual([
        `${name} has quotes around its value that do not match: remove them`,
      ]);
    }
});

test("a setting that consists of quotes counts as unset", () => {
  expect(loadConfig({ PORT: '""', DATA_DIR: "''", OPENROUTER_API_KEY: '" "' })).toEqual(loadConfig({}));
});

test.each([
  ["a byte order mark", "\ufeffA=1\nB=2\n"],
  ["carriage returns and line feeds", "A=1\r\nB=2\r\n"],
  ["carriage returns alone", "A=1\rB=2\r"],
  ["quotes, exports, spaces and comments", "# x\nexport A='1'\n B = \"2\" # y\n"],
])("reads a .env file with %s", (_, text) => {
  const found: Record<string, string> = {};
  expect(addEnvFile(found, writeTemporary(text))).toBeUndefined();
  expect(found).toEqual({ A: "1", B: "2" });
});

test("a .env file sets empty variables, and does not change variables that have values", () => {
  const found: Record<string, string> = { A: "own", B: "", C: " ", D: '""' };
  addEnvFile(found, writeTemporary("A=1\nB=2\nC=3\nD=4\n"));
  expect(found).toEqual({ A: "own", B: "2", C: "3", D: "4" });
});

const utf16 = Buffer.from("\ufeffA=1\n", "utf16le");

test.each([
  ["UTF-16, little endian", utf16, /UTF-16.*save it as UTF-8/],
  ["UTF-16, big endian", Buffer.from(utf16).swap16(), /UTF-16.*save it as UTF-8/],
  ["UTF-16 without a byte order mark", Buffer.from("A=1\n", "utf16le"), /UTF-16.*save it as UTF-8/],
  ["Latin-1", Buffer.from("A=\xe9\n", "latin1"), /not UTF-8: save it as UTF-8/],
  ["more than a mebibyte", Buffer.alloc(1_048_577, "#"), /longer than 1048576 bytes/],
])("rejects a .env file of %s, and names the file and a remedy", (_, content, words) => {
  const path = writeTemporary(content);
  const found: Record<string, string> = {};
  expect(addEnvFile(found, path)).toMatch(words);
  expect(addEnvFile(found, path)).toContain(`The file ${path} `);
  expect(found).toEqual({});
});

test("rejects a directory in place of a .env file, and accepts a missing file", () => {
  const directory = join(createTemporaryDirectory(), ".env");
  mkdirSync(directory);
  expect(addEnvFile({}, directory)).toMatch(/is a directory.*: remove it\.$/);
  expect(addEnvFile({}, join(directory, "missing"))).toBeUndefined();
});

test("reads secrets from the files that _FILE variables name, and removes byte order marks, white space and quotes", () => {
  const config = loadConfig({
    OPENROUTER_API_KEY_FILE: writeTemporary("\ufeff sk-or-v1-x \r\n"),
    GATEWAY_API_KEYS_FILE: writeTemporary("team:sk-a\r\nci:sk-b,\n\nweb:sk-c\n"),
    DATABASE_URL_FILE: writeTemporary('"postgres://u:p@db/x"\n'),
    REDIS_URL_FILE: `'${writeTemporary("redis://cache\n")}'`,
  });
  expect(config.openrouterApiKey).toBe("sk-or-v1-x");
  expect(config.gatewayKeys.map(({ name }) => name)).toEqual(["team", "ci", "web"]);
  expect(config.store?.databaseUrl).toBe("postgres://u:p@db/x");
  expect(config.redisUrl).toBe("redis://cache");
});

test.each(["OPENROUTER_API_KEY", "GATEWAY_API_KEYS", "DATABASE_URL", "REDIS_URL"])(
  "rejects %s_FILE, without the content, when the file is unusable or the secret itself is also set",
  (name) => {
    const file = `${name}_FILE`;
    const account = name === "OPENROUTER_API_KEY" ? {} : { OPENROUTER_API_KEY: "sk-or-x" };
    const mistakes = (path: string, more = {}): string =>
      listMistakes({ ...account, [file]: path, ...more }).join("\n");
    const full = writeTemporary(SECRET);
    expect(mistakes(full, { [name]: SECRET })).toMatch(new RegExp(`^${file} and ${name} are both set`));
    expect(mistakes(join(full, "x"))).toBe(`${file} names a file that cannot be read (ENOTDIR)`);
    expect(mistakes(`${full}-missing`)).toBe(`${file} names a file that cannot be read (ENOENT)`);
    expect(mistakes(createTemporaryDirectory())).toMatch(
      new RegExp(`^${file} names a file that is a directory`),
    );
    for (const empty of ["", " \r\n", '""\n'])
      expect(mistakes(writeTemporary(empty))).toBe(`${file} names an empty file`);
    expect(mistakes(writeTemporary(`"${SECRET}`))).toMatch(new RegExp(`^${file} has quotes`));
    expect(mistakes(writeTemporary(Buffer.from(SECRET, "utf16le")))).toMatch(/UTF-16/);
    expect(mistakes("/dev/zero")).toMatch(/longer than/);
    expect(mistakes(writeTemporary(`${SECRET} \u0001`))).not.toContain(SECRET);
  },
);

test("does not report the account's key as missing when its file cannot be read", () => {
  expect(listMistakes({ OPENROUTER_API_KEY_FILE: "/nowhere", GATEWAY_API_KEYS: "a:b" })).toEqual([
    "OPENROUTER_API_KEY_FILE names a file that cannot be read (ENOENT)",
  ]);
});
