import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

type Settings = Readonly<Record<string, string>>;

const REPORT_CPU = new URL("./report-cpu.ts", import.meta.url).href;
const running = new Set<ChildProcess>();

process.on("exit", stopServers);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** A server in a process of its own. */
export interface ServerProcess {
  readonly url: string;
  /** CPU time that the process has used so far, all its threads together, in µs. */
  readCpuUs(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * Starts a script that says its `url` in a JSON line, and waits for that.
 * @param settings its whole environment: what is set around a benchmark must not change what is measured.
 * @throws when the process ends instead.
 */
export async function startServer(script: URL, settings: Settings): Promise<ServerProcess> {
  const child = spawnScript(script, settings, ["--import", REPORT_CPU]);
  const url = await announcedUrl(child);
  // Nothing else that it says is of interest, but a full pipe would hold it up.
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

/** Runs a script on the same Node as this, in a folder without an `.env`. Its output has to be read. */
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
