import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { EnvironmentRecord } from "../config/sources.ts";
import type { Finding } from "./finding.ts";

const SERVER = fileURLToPath(new URL("../server.ts", import.meta.url));

/**
 * Runs the checks of the disk in another process. File systems and SQLite are called synchronously, and a frozen disk would stop
 * this process: neither a deadline nor `process.exit` ends a call that the kernel does not return from.
 * @param signal abandons the other process.
 * @throws if the other process cannot be started or prints nothing.
 */
export async function runDiskProcess(
  environment: EnvironmentRecord,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const child = spawn(process.execPath, [SERVER, "--cli", "doctor", "--disk", "--json"], {
    env: environment,
    stdio: ["ignore", "pipe", "ignore"],
  });
  child.unref();
  signal.addEventListener("abort", () => child.kill("SIGKILL"));
  const started = new Promise<never>((_resolve, reject) => void child.on("error", reject));
  const output = await Promise.race([text(child.stdout), started]);
  if (output === "") throw new Error("the process that checks the disk ended without a result");
  return (JSON.parse(output) as { findings: Finding[] }).findings;
}
