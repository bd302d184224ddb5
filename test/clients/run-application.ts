import { type ChildProcess, spawn } from "node:child_process";
import { onTestFinished } from "vitest";
import { waitFor } from "../support/wait.ts";

/** How to start a program. */
export interface Launch {
  readonly command: readonly [program: string, ...args: string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** How an application ended: its output and its exit code, or the signal that ended it. */
export interface End {
  readonly code: number | null;
  readonly signal: string | null;
  /** Standard output and standard error, in the order of arrival. */
  readonly output: string;
}

/** An application that was started. */
export interface RunningApplication {
  /** Waits for the application to end. @throws an error with its output if it runs past the deadline. */
  waitForEnd(): Promise<End>;
  /** Interrupts the application and its children, as Ctrl-C does in a terminal. */
  interrupt(): void;
}

const DEADLINE_MS = 90_000;

/**
 * Starts an application without a terminal. It gets only the environment of `launch`, and is killed with its children when
 * the test ends.
 */
export function startApplication({ command: [program, ...args], env, cwd }: Launch): RunningApplication {
  const child = spawn(program, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const ended = new Promise<End>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, output }));
  });
  ended.catch(() => {});
  onTestFinished(() => signalGroup(child, "SIGKILL"));
  return {
    waitForEnd: () =>
      waitFor(ended, `the end of ${program}`, DEADLINE_MS).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${output}`);
      }),
    interrupt: () => signalGroup(child, "SIGINT"),
  };
}

/** Sends a signal to the process group of a child, which may have ended. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
