import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { lockFile } from "../../src/store/file-lock.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil, waitFor } from "../support/wait.ts";

const pathOf = (): string => join(createTemporaryDirectory(), "me.lock");

/** A process that takes a lock, if it can, keeps no reference to it, says whether it has it, and lives on. */
async function locking(path: string) {
  const script = `
    import { lockFile } from "./src/store/file-lock.ts";
    const answer = lockFile(process.argv[1]) ? "locked" : "taken";
    for (let count = 0; count < 3; count++) { globalThis.gc(); await new Promise(setImmediate); }
    process.stdout.write(answer);
    setInterval(() => {}, 1_000);`;
  const child = spawn(
    process.execPath,
    ["--expose-gc", "--input-type=module-typescript", "-e", script, path],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await waitUntil(() => said !== "", "the process to say whether it has the lock", 10_000);
  return { child, said };
}

test("a lock is one process's until that ends, however it ends", async () => {
  const path = pathOf();
  const { child, said } = await locking(path);
  expect(said).toBe("locked");
  expect(lockFile(path)).toBeUndefined();
  const ended = once(child, "close");
  child.kill("SIGKILL");
  await waitFor(ended, "the process to end");
  const lock = lockFile(path);
  expect(lock).toBeDefined();
  lock?.release();
}, 30_000);

test("a lock that was asked for twice in one process is still its own against others", async () => {
  const path = pathOf();
  const lock = lockFile(path);
  for (let count = 0; count < 10; count++) expect(lockFile(path)).toBeUndefined();
  expect((await locking(path)).said).toBe("taken");
  lock?.release();
  expect((await locking(path)).said).toBe("locked");
}, 30_000);

test("a lock that is given back leaves nothing but its file", () => {
  const path = pathOf();
  lockFile(path)?.release();
  expect(existsSync(path)).toBe(true);
  expect(readdirSync(join(path, ".."))).toEqual(["me.lock"]);
  lockFile(path)?.release();
});

test("what is no lock cannot be locked, and is left as it is", () => {
  const path = pathOf();
  writeFileSync(path, "x".repeat(4_096));
  expect(() => lockFile(path)).toThrow("file is not a database");
  expect(() => lockFile(join(path, "below"))).toThrow("unable to open");
});
