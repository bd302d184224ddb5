import { type ChildProcess, spawn } from "node:child_process";
import { onTestFinished } from "vitest";
import { waitUntil, waitFor } from "./wait.ts";

/** A process may take several seconds to start or to exit when others use the machine. */
const PROCESS_DEADLINE_MS = 20_000;

/** A Node process started by a test. */
export interface TestProcess {
  readonly child: ChildProcess;
  /** Returns the output so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Waits for the process to exit. @returns its exit code, or the signal that killed it. */
  waitForExit(label: string, deadlineMs?: number): Promise<number | string>;
}

/** Runs `node <file>`. Its environment contains only `env`. */
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
    waitForExit: (label, deadlineMs = PROCESS_DEADLINE_MS) => waitFor(ended, label, deadlineMs),
  };
}

/** Waits for the log line in which a gateway states its URL. @returns the port. */
export async function waitForPort(gateway: TestProcess): Promise<number> {
  const found = await waitUntil(
    () => /"url":"http:\/\/[\d.]+:(\d+)/.exec(gateway.stdout()),
    "the gateway to listen",
    PROCESS_DEADLINE_MS,
  );
  return Number(found[1]);
}
