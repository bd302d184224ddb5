import { spawn } from "node:child_process";

/** Outcome of one scenario as the probe printed it; `detail` is empty on success. */
export interface ScenarioOutcome {
  readonly ok: boolean;
  readonly detail: string;
}

/** A program that runs scenarios against a gateway and prints one JSON line for each. */
export interface Probe {
  readonly command: readonly [program: string, ...args: string[]];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a probe to its end.
 * @param env the gateway's URL, the key and the run id.
 * @returns the outcomes by scenario.
 * @throws an error with the probe's output if the probe cannot start, exits with an error or exceeds the deadline.
 */
export async function runProbe(
  { command: [program, ...args], env: own }: Probe,
  env: Readonly<Record<string, string>>,
  deadlineMs: number,
): Promise<ReadonlyMap<string, ScenarioOutcome>> {
  const { PATH = "", HOME = "", LANG = "C.UTF-8" } = process.env;
  const child = spawn(program, args, {
    env: { PATH, HOME, LANG, ...own, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
  const end = await new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(`${error.message} (run tools/sdks/install first)`));
    child.on("close", (code, signal) =>
      resolve(signal === null ? `exit code ${code}` : `${signal} after ${deadlineMs} ms`),
    );
  });
  clearTimeout(timer);
  if (end !== "exit code 0") throw new Error(`${program}: ${end}\n${stdout}${stderr}`);
  return new Map(stdout.split("\n").flatMap(readLine));
}

/** Parses an outcome. Ignores other lines, because libraries may print some. */
function readLine(line: string): [string, ScenarioOutcome][] {
  if (!line.startsWith('{"scenario"')) return [];
  const { scenario, ok, detail } = JSON.parse(line) as ScenarioOutcome & { scenario: string };
  return [[scenario, { ok, detail }]];
}
