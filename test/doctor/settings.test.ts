import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { checkGateway, checkSettings, isInContainer } from "../../src/doctor/settings.ts";

const ACCOUNT = { OPENROUTER_API_KEY: "sk-or-x" };

test.each<[Record<string, string>, boolean, string]>([
  [{}, true, "HOST is 127.0.0.1 in a container"],
  [{ HOST: "0.0.0.0", ALLOW_ANONYMOUS: "true", ...ACCOUNT }, true, "everyone who can reach the port spends"],
  [
    { METRICS_PORT: "9100", METRICS_HOST: "0.0.0.0" },
    false,
    "METRICS_HOST is 0.0.0.0, and the metrics need no key",
  ],
  [{ METRICS_PORT: "9100", METRICS_HOST: "::", METRICS_KEY_LABEL: "true" }, false, "of each key by name"],
  [{ KEEP_ALIVE_TIMEOUT_MS: "60000" }, false, "KEEP_ALIVE_TIMEOUT_MS is 60000"],
  [{ ...ACCOUNT, DATABASE_URL: "postgres://x/y" }, false, "DATA_DIR_PERSISTENT is not true"],
])("warns about %j in a container: %s", (env, inContainer, words) => {
  const [result, ...more] = checkSettings(loadConfig(env), inContainer);
  expect(more).toEqual([]);
  expect(result).toMatchObject({ status: "warning", finding: expect.stringContaining(words) });
  expect(result?.remedy).toMatch(/\S/);
});

test.each<[Record<string, string>, boolean]>([
  [{}, false],
  [{ HOST: "0.0.0.0" }, true],
  [{ HOST: "0.0.0.0", ALLOW_ANONYMOUS: "true" }, false],
  [{ METRICS_PORT: "9100" }, false],
  [{ ...ACCOUNT, DATABASE_URL: "postgres://x/y", DATA_DIR_PERSISTENT: "true" }, false],
])("%j in a container: %s has no surprise", (env, inContainer) => {
  expect(checkSettings(loadConfig(env), inContainer)).toMatchObject([{ status: "ok" }]);
});

test("states whether a gateway runs", async () => {
  const server = createServer((_request, response) => response.end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const check = (PORT: string) => checkGateway({ PORT }, loadConfig({ PORT }));
  const { port } = server.address() as AddressInfo;
  expect(await check(String(port))).toMatchObject([{ status: "ok" }]);
  expect(await check("9")).toMatchObject([{ status: "skipped" }]);
  expect(await check("0")).toMatchObject([
    { status: "skipped", finding: expect.stringContaining("PORT is 0") },
  ]);
});

test("Kubernetes is a container", () => {
  expect(isInContainer({ KUBERNETES_SERVICE_HOST: "10.0.0.1" })).toBe(true);
});
