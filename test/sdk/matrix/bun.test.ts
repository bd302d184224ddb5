// Bun runs many coding agents. These tests check that it reads an error that arrives before its request is complete.
import { globSync } from "node:fs";
import { expect, test } from "vitest";
import { CALLER_KEY, startTestGateway } from "../../support/gateway.ts";
import { startHeldUpstream, openStream } from "../../support/held-upstream.ts";
import { runProbe } from "./run-probe.ts";

const PROBE_DEADLINE_MS = 60_000;
const OK = { ok: true, detail: "" };

test.each([
  ["401", "sk-wrong", {}],
  ["413", CALLER_KEY, { BODY_LIMIT_BYTES: "300000" }],
  ["503", CALLER_KEY, { MAX_IN_FLIGHT: "1" }],
])(
  "Bun reads the %s with which the gateway rejects each of four long requests",
  async (status, key, env) => {
    const { upstream } = await startHeldUpstream();
    const gateway = await startTestGateway(upstream.baseUrl, env);
    if (status === "503") await openStream(gateway.port);
    const [bun = "bun"] = globSync("tools/sdks/bun/node_modules/@oven/*/bin/bun");
    const outcomes = await runProbe(
      { command: [bun, "run", "tools/sdks/bun/probe.ts", status] },
      { BASE_URL: `${gateway.url}/openai/v1`, API_KEY: key, RUN_ID: "bun" },
      PROBE_DEADLINE_MS,
    );
    expect([...outcomes.values()]).toEqual([OK, OK, OK, OK]);
  },
  PROBE_DEADLINE_MS + 5_000,
);
