import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

type Settings = Readonly<Record<string, string>>;

const REPORT_CPU = new URL("./report-cpu.ts", import.meta.url).href;
const running = new Set<ChildProcess>();

process.on("exit", stopServers);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** A server in its own process. */
export interface ServerProcess {
  readonly url: string;
  /** CPU time that the process has used so far, all its threads together, in µs. */
  readCpuUs(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Starts a script that logs its `url` in a JSON line, and waits for that line.
 * @param settings the whole environment of the process, so that variables of the shell do not affect the result.
 * @throws if the process ends before it logs the line.
 */
export async function startServer(script: URL, settings: Settings): Promise<ServerProcess> {
  const child = spawnScript(script, settings, ["--import", REPORT_CPU]);
  const url = await readUrl(child);
  // Discards the rest of the output, because a full pipe would block the process.
  child.stdout?.resume();
  return {
    url,
    async readCpuUs() {
      child.send("cpu");
      const [usage] = (await once(child, "message")) as [NodeJS.CpuUsage];
      return usage.user + usage.system;
    },
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/**
 * Runs a script on the same Node as this process, in a folder without an `.env`. The caller must read the output of the script,
 * because a full pipe would block it.
 */
export function spawnScript(script: URL, env: Settings, flags: readonly string[] = []): ChildProcess {
  const child = spawn(process.execPath, [...flags, script.pathname], {
    cwd: import.meta.dirname,
    env,
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Kills every process that this module has started. */
export function stopServers(): void {
  for (const child of running) child.kill("SIGKILL");
}

async function readUrl(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the standard output of a server must be a pipe");
  for await (const line of createInterface(child.stdout)) {
    const { url, msg } = JSON.parse(line) as { url?: string; msg?: string };
    if (url !== undefined && msg !== "metrics: listening") return url;
  }
  throw new Error(`${child.spawnargs.at(-1)} ended before it listened`);
}
