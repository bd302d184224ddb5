import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type RecoveryResult, recoverJournals } from "../../src/metering/journal/replay.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitFor } from "../support/wait.ts";

/** Runs a process with this limit of its file size until it ends. @returns the result that it prints for each line. */
async function fillDisk(directory: string, kind: string, kibibytes: number): Promise<string[]> {
  const script = `trap '' XFSZ; ulimit -f ${kibibytes}; exec "$0" "$@"`;
  const child = spawn(
    "bash",
    ["-c", script, process.execPath, "test/support/full-disk-process.ts", directory, kind],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await waitFor(once(child, "close"), "the process to end");
  return JSON.parse(output) as string[];
}

async function recover(directory: string): Promise<{ ids: string[]; found: RecoveryResult }> {
  const ids: string[] = [];
  const found = await recoverJournals(directory, "own", {
    write: (rows) => {
      ids.push(...rows.map(({ id }) => id));
      return Promise.resolve(rows.length);
    },
    onComplete: () => Promise.resolve(),
  });
  return { ids, found };
}

test.each(["begin", "spill"])(
  "a journal on a full disk (%s) has exactly the lines that it reported as written",
  async (kind) => {
    const directory = createTemporaryDirectory();
    const results = await fillDisk(directory, kind, 4);
    expect(results.slice(-2)).toEqual([`${results.length - 1} full`, "after kept"]);
    const lines = readdirSync(directory)
      .filter((name) => name.endsWith(".jsonl"))
      .flatMap((name) => readFileSync(join(directory, name), "utf8").trimEnd().split("\n"));
    const { ids, found } = await recover(directory);
    const kept = results.filter((line) => line.endsWith(" kept")).map((line) => line.replace(" kept", ""));
    expect(ids.toSorted()).toEqual(kept.toSorted());
    expect([lines.length, found.damagedLines]).toEqual([kept.length, 0]);
    expect(readdirSync(directory)).toEqual([]);
  },
);
