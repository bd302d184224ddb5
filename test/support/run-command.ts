import process from "node:process";
import { vi } from "vitest";
import { runCli } from "../../src/cli/main.ts";

/** The result of a command of the command line. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Thrown in place of `process.exit()`, which the library calls after it has printed an invalid argument. */
class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit with ${code}`);
    this.code = code;
  }
}

const readExitCode = (): number => Number(process.exitCode ?? 0);

/**
 * Runs a command of the command line in this process, because it takes half a second of CPU time to start another one.
 * Commands must not run at the same time.
 */
export async function runCommand(
  environment: Readonly<Record<string, string>>,
  args: readonly string[],
): Promise<CommandResult> {
  const output = { stdout: "", stderr: "" };
  const capture = (name: "stdout" | "stderr") =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      output[name] += String(text);
      return true;
    });
  const spies = [
    capture("stdout"),
    capture("stderr"),
    vi.spyOn(process.stdout, "on").mockReturnThis(),
    vi.spyOn(process, "exit").mockImplementation((code) => {
      throw new Exit(Number(code ?? 0));
    }),
  ];
  const { exitCode } = process;
  process.exitCode = undefined;
  try {
    await runCli(environment, args);
    return { code: readExitCode(), ...output };
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    return { code: error.code, ...output };
  } finally {
    process.exitCode = exitCode;
    spies.forEach((spy) => spy.mockRestore());
  }
}
