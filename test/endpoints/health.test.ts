import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fastify } from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { ShutdownState } from "../../src/http/shutdown.ts";
import { sendRequest } from "../support/send-request.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startHeldUpstream } from "../support/held-upstream.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";
import { ComponentHealth, type HealthCheck } from "../../src/endpoints/component-health.ts";
import { registerHealth } from "../../src/endpoints/health.ts";

async function startReadiness(
  required: Record<string, HealthCheck>,
  optional: Record<string, HealthCheck> = {},
) {
  const app = fastify();
  onTestFinished(() => app.close());
  const components = new ComponentHealth({ required, optional });
  registerHealth(app, { shutdown: new ShutdownState(), components });
  return async () => {
    const { statusCode, body } = await app.inject("/readyz");
    return [statusCode, JSON.parse(body)] as const;
  };
}

const succeeds = (): boolean => true;
const fails = (): Promise<boolean> => Promise.reject(new Error("broken"));

test.each([
  [succeeds, succeeds, 200, { status: "ready", failing: [], degraded: [] }],
  [succeeds, fails, 200, { status: "degraded", failing: [], degraded: ["b"] }],
  [fails, succeeds, 503, { status: "not_ready", failing: ["a"], degraded: [] }],
  [fails, fails, 503, { status: "not_ready", failing: ["a"], degraded: ["b"] }],
])(
  "readiness depends only on the required checks, and lists failed optional checks as degraded (%#)",
  async (a, b, status, body) => {
    const readiness = await startReadiness({ a }, { b });
    expect(await readiness()).toEqual([status, { draining: false, ...body }]);
  },
);

test("a check that never settles fails after 2 s and is not started again", async () => {
  let started = 0;
  const hangs = (): Promise<boolean> => {
    started++;
    return new Promise(() => {});
  };
  const readiness = await startReadiness({ a: hangs }, { b: succeeds });
  const startedAt = performance.now();
  const responses = await Promise.all([readiness(), readiness(), readiness()]);
  expect(performance.now() - startedAt).toBeLessThan(4_000);
  for (const [status, body] of responses) expect([status, body.failing]).toEqual([503, ["a"]]);
  expect(started).toBe(1);
});

test("the gateway is not ready while its journal cannot be written, and becomes ready again without a request", async () => {
  const { upstream } = await startHeldUpstream();
  const dataDir = createTemporaryDirectory();
  const gateway = await startTestGateway(upstream.baseUrl, { DATA_DIR: dataDir });
  const readiness = async (): Promise<unknown[]> => {
    const { status, body } = await sendRequest(gateway.port, { method: "GET", path: "/readyz", body: "" });
    return [status, (JSON.parse(body.toString()) as { failing: unknown }).failing];
  };
  expect(await readiness()).toEqual([200, []]);
  const journal = join(dataDir, "journal");
  rmSync(journal, { recursive: true });
  expect((await sendRequest(gateway.port)).status).toBe(503);
  expect(await readiness()).toEqual([503, ["journal"]]);
  mkdirSync(journal);
  expect(await readiness()).toEqual([200, []]);
  await waitUntil(async () => (await sendRequest(gateway.port)).status === 200, "requests to be served");
});
