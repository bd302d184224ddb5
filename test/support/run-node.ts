import { type ChildProcess, spawn } from "node:child_process";
import { onTestFinished } from "vitest";
import { waitUntil, waitFor } from "./wait.ts";

/** A process of the project's own. */
export interface TestProcess {
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Waits for its end. @returns its exit code, or the signal that ended it. */
  waitForExit(label: string, deadlineMs?: number): Promise<number | string>;
}

/** Runs `node src/<file>` with nothing in its environment but `env`. */
export function runNode(
  file: string,
  env: Record<string, string> = {},
  args: readonly string[] = [],
): TestProcess {
  const child = spawn(process.execPath, [file, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = new Promise<number | string>((resolve) => {
    child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return {
    child,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    waitForExit: (label, deadlineMs = 10_000) => waitFor(ended, label, deadlineMs),
  };
}

/** Waits for the line with which a gateway says that it listens. @returns the port. */
export async function waitForPort(gateway: TestProcess): Promise<number> {
  const found = await waitUntil(
    () => /"url":"http:\/\/[\d.]+:(\d+)/.exec(gateway.stdout()),
    "the gateway to listen",
    10_000,
  );
  return Number(found[1]);
}
