import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made: string[] = [];

process.on("exit", () => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true });
});

/** Creates a directory that is deleted when the benchmark ends. @returns its path. */
export function createTemporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  made.push(directory);
  return directory;
}
