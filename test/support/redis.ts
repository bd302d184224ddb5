import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { findFreePort } from "./ports.ts";
import { waitUntil } from "./wait.ts";

/** A running Redis. */
export interface TestRedis {
  readonly url: string;
  readonly process: ChildProcess;
}

/** Starts a real Redis for this test, without data. @param port by default a free one. */
export async function startRedis(port?: number): Promise<TestRedis> {
  const own = port ?? (await findFreePort());
  const dir = await mkdtemp(join(tmpdir(), "sluice-redis-"));
  const redis = spawn(
    "redis-server",
    ["--port", String(own), "--bind", "127.0.0.1", "--save", "", "--dir", dir],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let ready = false;
  redis.stdout.on("data", (line: Buffer) => (ready ||= line.includes("Ready to accept")));
  onTestFinished(async () => {
    redis.kill("SIGKILL");
    await rm(dir, { recursive: true, force: true });
  });
  await waitUntil(() => ready, "redis-server (apt-get install redis-server)");
  return { url: `redis://127.0.0.1:${own}`, process: redis };
}
