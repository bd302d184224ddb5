import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { checkDataDirectory } from "../../src/doctor/data-directory.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

function check(dataDir: string, env: Record<string, string> = {}) {
  return checkDataDirectory(loadConfig({ OPENROUTER_API_KEY: "sk-or-x", DATA_DIR: dataDir, ...env }));
}

/** Returns a directory in which no file can be created, also by root. */
function findUnwritable(): string {
  if (process.getuid?.() === 0) return "/sys/kernel";
  const directory = createTemporaryDirectory();
  chmodSync(directory, 0o500);
  return directory;
}

test("a writable directory is ok, and the test file is deleted", () => {
  const directory = createTemporaryDirectory();
  const results = check(directory, { JOURNAL_MAX_BYTES: "1048576" });
  expect(results[0]).toMatchObject({ finding: expect.stringContaining("is writable") });
  expect(results[1]).toMatchObject({ status: "ok" });
  expect(readdirSync(directory)).toEqual([]);
});

test("a directory that does not exist is reported and not created", () => {
  const directory = join(createTemporaryDirectory(), "a", "b");
  expect(check(directory)).toMatchObject([
    { status: "warning", finding: expect.stringContaining("does not exist") },
  ]);
  expect(existsSync(directory)).toBe(false);
});

test("an unwritable directory and a file in place of it fail", () => {
  expect(check(findUnwritable())[0]).toMatchObject({
    status: "failed",
    finding: expect.stringMatching(/cannot write to .*: E/),
  });
  const file = join(createTemporaryDirectory(), "file");
  writeFileSync(file, "");
  expect(check(file)).toMatchObject([
    { status: "failed", finding: expect.stringContaining("not a directory") },
  ]);
});

test("warns about a directory that others may write to, and about too little space", () => {
  const directory = createTemporaryDirectory();
  chmodSync(directory, 0o777);
  const results = check(directory, { JOURNAL_MAX_BYTES: "1099511627776" });
  expect(results.map(({ finding }) => finding).join("\n")).toMatch(/Other users may write .*mode 777/);
  const space = results.find(({ finding }) => finding.includes("are free on the disk"));
  expect(space).toMatchObject({ status: "warning", remedy: expect.stringContaining("JOURNAL_MAX_BYTES") });
});

test("warns about a directory in memory, unless it need not persist", () => {
  const directory = mkdtempSync("/dev/shm/sluice-test-");
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const postgres = { DATABASE_URL: "postgres://127.0.0.1:1/x" };
  const describe = (env: Record<string, string>) =>
    check(directory, env)
      .map(({ finding }) => finding)
      .join("\n");
  expect(describe({})).toContain("keys, ledger and journal will be lost");
  expect(describe({ ...postgres, DATA_DIR_PERSISTENT: "true" })).toContain("the journal will be lost");
  expect(describe(postgres)).not.toContain("lost");
});

test("there is no data directory without a store", () => {
  expect(checkDataDirectory(loadConfig({}))).toMatchObject([{ status: "skipped" }]);
});
