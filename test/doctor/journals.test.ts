import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { checkJournals } from "../../src/doctor/journals.ts";
import { lockFile } from "../../src/store/file-lock.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";

/** Creates a data directory with a journal directory, and returns the functions that fill and check it. */
function createJournals() {
  const dataDir = createTemporaryDirectory();
  const directory = join(dataDir, "journal");
  mkdirSync(directory);
  const write = (name: string): string => {
    const path = join(directory, name);
    writeFileSync(path, "x".repeat(2048));
    return path;
  };
  const lock = (instance: string): void => {
    const path = join(directory, `${instance}.lock`);
    const held = lockFile(path);
    onTestFinished(() => held?.release());
    const old = new Date(Date.now() - 60_000);
    utimesSync(path, old, old);
  };
  const check = () => checkJournals(loadConfig({ OPENROUTER_API_KEY: "sk-or-x", DATA_DIR: dataDir }));
  return { directory, write, lock, check };
}

test("reports journals of dead processes, and changes no file", () => {
  const { directory, write, check } = createJournals();
  write("dead.1.jsonl");
  write("dead.2.jsonl");
  const before = readdirSync(directory);
  expect(check()).toMatchObject([
    {
      status: "warning",
      finding: expect.stringMatching(/0 running gateway.* 1 process.*with 4 KiB/),
      remedy: expect.stringContaining("Start a gateway"),
    },
  ]);
  expect(readdirSync(directory)).toEqual(before);
});

test("a journal whose lock is held belongs to a running gateway", () => {
  const { write, lock, check } = createJournals();
  write("live.1.jsonl");
  lock("live");
  expect(check()).toMatchObject([{ status: "ok", finding: expect.stringContaining("1 running gateway") }]);
  write("dead.1.jsonl");
  expect(check()).toMatchObject([
    { status: "warning", remedy: expect.stringContaining("ledger: heartbeat or recovery failed") },
  ]);
});

test("reports damaged journals and rejected rows", () => {
  const { write, check } = createJournals();
  write("a.1.jsonl.damaged");
  write("a.refused");
  expect(check().at(-1)).toMatchObject({
    status: "warning",
    finding: expect.stringMatching(/^2 file\(s\) .*such as a\./),
  });
});

test("there is no journal before the first start", () => {
  const config = loadConfig({ OPENROUTER_API_KEY: "sk-or-x", DATA_DIR: createTemporaryDirectory() });
  expect(checkJournals(config)).toMatchObject([{ status: "skipped" }]);
});
