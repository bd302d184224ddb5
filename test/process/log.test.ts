import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { findFreePort, isListening } from "../support/ports.ts";
import { ACCOUNT_KEY, CALLER_KEY } from "../support/gateway.ts";
import { startHeldUpstream } from "../support/held-upstream.ts";
import { waitUntil, waitFor } from "../support/wait.ts";

/** Runs a shell command in which `$RUN` starts the gateway, and waits until the gateway listens. */
async function start(shell: string, stdout: number | "pipe" = "pipe") {
  const { upstream } = await startHeldUpstream();
  const port = await findFreePort();
  const child = spawn("bash", ["-c", shell.replaceAll("$RUN", `"${process.execPath}" src/server.ts`)], {
    env: {
      PATH: process.env["PATH"],
      NODE: process.execPath,
      PORT: String(port),
      LOG_LEVEL: "trace",
      DRAIN_MS: "0",
      OPENROUTER_API_KEY: ACCOUNT_KEY,
      GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
      OPENROUTER_BASE_URL: upstream.baseUrl,
    },
    stdio: ["ignore", stdout, "pipe"],
    detached: true,
  });
  onTestFinished(() => killGroup(child.pid));
  const ended = new Promise<number | string | null>((resolve) => {
    child.on("exit", (code, signal) => resolve(code ?? signal));
  });
  await waitUntil(() => isListening(port), "the gateway to listen");
  return { child, port, exit: () => waitFor(ended, "the exit of the gateway") };
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // The process has ended.
  }
}

/** Makes the gateway log about 25 kB: each health check logs about 250 bytes at trace level. Ten calls fill a pipe. */
async function logMuch(port: number): Promise<void> {
  const requests = Array.from({ length: 100 }, () =>
    sendRequest(port, { path: `/healthz`, method: "GET", body: "" }),
  );
  for (const { status } of await Promise.all(requests)) expect(status).toBe(200);
}

test.each([
  ["standard output is on a full disk", "exec $RUN"],
  ["standard output and standard error are on a full disk", "exec $RUN 2>/dev/full"],
])("the gateway serves requests and shuts down although %s", async (_, shell) => {
  const full = openSync("/dev/full", "w");
  onTestFinished(() => closeSync(full));
  const { child, port, exit } = await start(shell, full);
  for (let count = 0; count < 5; count++) {
    expect((await sendRequest(port)).status).toBe(200);
    // The logger writes its buffer within this time, so a write has failed before the next request.
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  child.kill("SIGTERM");
  expect(await exit()).toBe(0);
});

test("the gateway serves requests and shuts down although nobody reads the pipe of its standard output", async () => {
  const { child, port, exit } = await start("exec $RUN");
  child.stdout?.pause();
  for (let count = 0; count < 10; count++) await logMuch(port);
  child.kill("SIGTERM");
  expect(await exit()).toBe(0);
}, 60_000);

test("the gateway serves requests and shuts down although a shell pipe is full and nobody reads it", async () => {
  const { child, port, exit } = await start("exec > >(exec sleep 60); exec $RUN");
  for (let count = 0; count < 10; count++) await logMuch(port);
  child.kill("SIGTERM");
  expect(await exit()).toBe(0);
}, 60_000);

test("the gateway exits, or kills itself with SIGKILL, when another process has made the full log pipe blocking again", async () => {
  // The second Node process shares the gateway's pipe. When this process ends, it restores the flags of the pipe.
  const { child, port, exit } = await start(
    'exec > >(exec sleep 60); { sleep 4; exec "$NODE" -e process.stdout; } & exec $RUN',
  );
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  for (let count = 0; count < 10; count++) await logMuch(port);
  child.kill("SIGTERM");
  expect([0, "SIGKILL"]).toContain(await exit());
}, 40_000);
