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
 * Starts a script that prints its `url` in a JSON line, and waits for this line.
 * @param settings its whole environment, so that variables of the benchmark's own environment have no effect.
 * @throws if the process ends before.
 */
export async function startServer(script: URL, settings: Settings): Promise<ServerProcess> {
  const child = spawnScript(script, settings, ["--import", REPORT_CPU]);
  const url = await announcedUrl(child);
  // Further output is discarded, because a full pipe would block the process.
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

/** Runs a script with the same Node executable, in a folder without an `.env`. The caller must read its output. */
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

/** Kills every process that was started here. */
export function stopServers(): void {
  for (const child of running) child.kill("SIGKILL");
}

async function announcedUrl(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the output of a server has to be a pipe");
  for await (const line of createInterface(child.stdout)) {
    const { url } = JSON.parse(line) as { url?: string };
    if (url !== undefined) return url;
  }
  throw new Error(`${child.spawnargs.at(-1)} ended before it listened`);
}
