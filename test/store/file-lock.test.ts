import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { lockFile } from "../../src/store/file-lock.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil, waitFor } from "../support/wait.ts";

const createLockPath = (): string => join(createTemporaryDirectory(), "me.lock");

/** Starts a process that tries to take a lock, keeps no reference to it, prints the result, and keeps running. */
async function startLockingProcess(path: string) {
  const script = `
    import { lockFile } from "./src/store/file-lock.ts";
    const result = lockFile(process.argv[1]) ? "locked" : "taken";
    for (let count = 0; count < 3; count++) { globalThis.gc(); await new Promise(setImmediate); }
    process.stdout.write(result);
    setInterval(() => {}, 1_000);`;
  const child = spawn(
    process.execPath,
    ["--expose-gc", "--input-type=module-typescript", "-e", script, path],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await waitUntil(() => output !== "", "the result of the process");
  return { child, output };
}

test("a process holds a lock until it exits, even if it is killed", async () => {
  const path = createLockPath();
  const { child, output } = await startLockingProcess(path);
  expect(output).toBe("locked");
  expect(lockFile(path)).toBeUndefined();
  const ended = once(child, "close");
  child.kill("SIGKILL");
  await waitFor(ended, "the process to exit");
  const lock = lockFile(path);
  expect(lock).toBeDefined();
  lock?.release();
}, 60_000);

test("a second attempt to lock in the same process fails and does not release the first lock", async () => {
  const path = createLockPath();
  const lock = lockFile(path);
  for (let count = 0; count < 10; count++) expect(lockFile(path)).toBeUndefined();
  expect((await startLockingProcess(path)).output).toBe("taken");
  lock?.release();
  expect((await startLockingProcess(path)).output).toBe("locked");
}, 60_000);

test("release leaves only the lock file, which can be locked again", () => {
  const path = createLockPath();
  lockFile(path)?.release();
  expect(existsSync(path)).toBe(true);
  expect(readdirSync(join(path, ".."))).toEqual(["me.lock"]);
  lockFile(path)?.release();
});

test("lockFile rejects a file that is not a lock file", () => {
  const path = createLockPath();
  writeFileSync(path, "x".repeat(4_096));
  expect(() => lockFile(path)).toThrow("file is not a database");
  expect(() => lockFile(join(path, "below"))).toThrow("unable to open");
});
