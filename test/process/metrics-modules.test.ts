import { expect, test } from "vitest";
import { runNode, waitForPort } from "../support/run-node.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";

const TIMEOUT_MS = 60_000;
const RECORD = { NODE_OPTIONS: "--import ./test/support/record-modules.js" };
const BASE = { PORT: "0", OPENROUTER_BASE_URL: "http://127.0.0.1:9/api/v1", ...RECORD };
const METRICS_MODULE = /loaded file:.*\/(?:src\/metrics|node_modules\/prom-client)\//;
const ACCOUNT = { OPENROUTER_API_KEY: "sk-or-account-0123456789" };

test.each([
  ["clients send their own keys", {}],
  ["keys are in GATEWAY_API_KEYS", { ...ACCOUNT, GATEWAY_API_KEYS: "team:sk-caller-0123456789" }],
  ["keys are in a database", ACCOUNT],
])(
  "without METRICS_PORT, neither src/metrics nor prom-client is loaded if %s",
  async (_mode, env) => {
    const gateway = runNode("src/server.ts", { ...BASE, DATA_DIR: createTemporaryDirectory(), ...env });
    await waitForPort(gateway);
    expect(gateway.stderr()).toMatch(/loaded file:.*\/src\/gateway\.ts/);
    expect(gateway.stderr()).not.toMatch(METRICS_MODULE);
  },
  TIMEOUT_MS,
);

test(
  "the CLI loads neither src/metrics nor prom-client, and a gateway with METRICS_PORT loads both",
  async () => {
    const env = { ...RECORD, DATA_DIR: createTemporaryDirectory(), METRICS_PORT: "0" };
    const cli = runNode("src/server.ts", env, ["--cli", "keys", "list"]);
    expect(await cli.waitForExit("keys list", 30_000)).toBe(0);
    expect(cli.stderr()).toMatch(/loaded file:.*\/src\/cli\//);
    expect(cli.stderr()).not.toMatch(METRICS_MODULE);
    const gateway = runNode("src/server.ts", { ...BASE, METRICS_PORT: "0" });
    await waitUntil(() => gateway.stdout().includes('"server: listening"'), "the gateway to listen", 30_000);
    expect(gateway.stderr()).toMatch(/loaded file:.*\/src\/metrics\/metrics\.ts/);
    expect(gateway.stderr()).toMatch(/loaded file:.*\/node_modules\/prom-client\//);
  },
  TIMEOUT_MS,
);
