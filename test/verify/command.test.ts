import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { CHECKS } from "../../tools/verify/catalogue.ts";
import type { Report } from "../../tools/verify/run.ts";
import { PROXY_KEY, type ProxyFault, startProxy } from "../support/lossy-proxies.ts";
import { findFreePort } from "../support/ports.ts";

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function verify(...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, ["tools/verify/main.ts", ...args], { env: {} });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

async function verifyProxy(fault: ProxyFault | undefined, ...more: string[]): Promise<Run> {
  const port = String(await findFreePort());
  const gateway = await startProxy(`http://127.0.0.1:${port}/api/v1`, fault);
  const only = ["--only", "request/big-integers,answer/plain"];
  return verify("--gateway", gateway, "--key", PROXY_KEY, "--upstream-port", port, ...only, ...more);
}

test("exits with 0 when all checks pass", async () => {
  const { code, stdout, stderr } = await verifyProxy(undefined);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("2 of 2 checks passed");
});

test("exits with 1 and prints a JSON report when a check fails", async () => {
  const { code, stdout } = await verifyProxy("reserialises", "--format", "json");
  expect(code).toBe(1);
  expect(JSON.parse(stdout) as Report).toMatchObject({
    passed: 1,
    total: 2,
    results: [
      { id: "request/big-integers", group: "request", pass: false },
      { id: "answer/plain", pass: true },
    ],
  });
});

test("exits with 2 for an unreachable gateway and for invalid arguments", async () => {
  const port = String(await findFreePort());
  const unreachable = await verify(
    "--gateway",
    `http://127.0.0.1:${port}`,
    "--key",
    "k",
    "--upstream-port",
    port,
  );
  expect(unreachable).toMatchObject({ code: 2, stdout: "" });
  const wrong = await verify("--gateway", "nonsense", "--key", "k");
  expect(wrong).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("Usage:") as string });
});

test("--list prints every check", async () => {
  const { code, stdout } = await verify("--list");
  expect(code).toBe(0);
  expect(stdout.trim().split("\n")).toHaveLength(CHECKS.length);
});
