// Tests common SDKs, unmodified, with a gateway in front of a simulated OpenRouter.
import { beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../../src/config/config.ts";
import { startGateway } from "../../../src/gateway.ts";
import { createLogger } from "../../../src/observability/logger.ts";
import type { SeenRequest } from "../../../tools/simulator/state.ts";
import { type Simulator, startSimulator } from "../../../tools/simulator/simulator.ts";
import { ACCOUNT_KEY, CALLER_KEY } from "../../support/gateway.ts";
import { waitUntil } from "../../support/wait.ts";
import { SDKS, type Sdk } from "./matrix.ts";
import { type ScenarioOutcome, runProbe } from "./run-probe.ts";

/** On a busy machine, most of this time is the start of the JVM or a large Python import. */
const PROBE_DEADLINE_MS = 120_000;
/** More than any scenario sends, except those for 413. */
const BODY_LIMIT_BYTES = 3_000_000;
/** Timers may fire slightly early, and clocks return whole milliseconds. */
const CLOCK_SLACK_MS = 10;

/** Scenarios in which a client ends a stream early. */
const CANCELLATIONS = ["cancel", "abort", "response cancel"];

let simulator: Simulator;
let gatewayUrl: string;

beforeAll(async () => {
  simulator = await startSimulator({ apiKeys: [ACCOUNT_KEY] });
  const config = loadConfig({
    PORT: "0",
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
    OPENROUTER_BASE_URL: simulator.baseUrl,
    BODY_LIMIT_BYTES: String(BODY_LIMIT_BYTES),
  });
  const gateway = await startGateway(config, createLogger("silent"));
  gatewayUrl = gateway.url;
  return async () => {
    await gateway.stop({ delayMs: 0, graceMs: 0 });
    await simulator.close();
  };
});

/** @returns the upstream requests of one scenario. The prompt of the probe identifies them. */
function listUpstreamRequests(sdk: Sdk, scenario: string): SeenRequest[] {
  return simulator.seen.filter(({ body }) => body.includes(`Ahoj from ${sdk.name}: ${scenario}.`));
}

/**
 * Waits until upstream sees that a request of a scenario was aborted.
 * @returns whether upstream saw the abort before the probe's last request. The exit of the probe's process could cause a
 * later abort.
 */
async function wasAbortedInTime(sdk: Sdk, scenario: string): Promise<boolean> {
  const [request, ...more] = listUpstreamRequests(sdk, scenario);
  if (more.length > 0) throw new Error(`upstream received ${more.length + 1} requests`);
  const abortedAtMs = await waitUntil(() => request?.abortedAtMs, `the abort of ${sdk.name}: ${scenario}`);
  const last = simulator.seen.findLast(({ body }) => body.includes(`Ahoj from ${sdk.name}: `));
  return last !== undefined && last !== request && abortedAtMs < last.startedAtMs;
}

describe.each(SDKS)("$name", (sdk) => {
  let outcomes: ReadonlyMap<string, ScenarioOutcome>;

  beforeAll(async () => {
    const env = {
      BASE_URL: gatewayUrl + (sdk.basePath ?? "/openai/v1"),
      API_KEY: CALLER_KEY,
      RUN_ID: sdk.name,
    };
    outcomes = await runProbe(sdk, env, PROBE_DEADLINE_MS);
  }, PROBE_DEADLINE_MS + 5_000);

  test.each(Object.entries(sdk.scenarios))("%s: %s", (scenario) => {
    expect(outcomes.get(scenario)).toEqual({ ok: true, detail: "" });
  });

  test("The probe runs exactly the scenarios of the matrix", () => {
    expect([...outcomes.keys()].toSorted()).toEqual(Object.keys(sdk.scenarios).toSorted());
  });
});

describe("Upstream", () => {
  const having = (scenario: string): Sdk[] => SDKS.filter(({ scenarios }) => scenario in scenarios);

  test.each(
    CANCELLATIONS.flatMap((scenario) => having(scenario).map((sdk) => ({ name: sdk.name, scenario, sdk }))),
  )("sees that $name cancels a stream: $scenario", async ({ sdk, scenario }) => {
    expect(await wasAbortedInTime(sdk, scenario)).toBe(true);
  });

  test.each(having("413"))("never receives the request of $name that is too large", (sdk) => {
    expect(listUpstreamRequests(sdk, "413")).toEqual([]);
  });

  test.each(having("timeout"))("receives one request, which is aborted when $name times out", async (sdk) => {
    expect(await wasAbortedInTime(sdk, "timeout")).toBe(true);
  });

  test.each(having("429"))("receives one request from $name while retries are off", (sdk) => {
    expect(listUpstreamRequests(sdk, "429")).toHaveLength(1);
    expect(listUpstreamRequests(sdk, "500")).toHaveLength(1);
  });

  test.each(having("retry after 429"))(
    "receives a retry from $name only after the time in Retry-After",
    (sdk) => {
      const [first, second, ...more] = listUpstreamRequests(sdk, "retry after 429");
      expect(more).toEqual([]);
      const waitedMs = (second?.startedAtMs ?? 0) - (first?.endedAtMs ?? Infinity);
      expect(waitedMs).toBeGreaterThanOrEqual(1_000 - CLOCK_SLACK_MS);
    },
  );

  test.each(having("image input"))("receives the image of $name unchanged", (sdk) => {
    const [request] = listUpstreamRequests(sdk, "image input");
    expect(request?.body.toString()).toMatch(/: ?"(data:image\/png;base64,)?iVBOR[^"]+ggg=="/);
  });

  test.each(SDKS)("never receives the key of $name", (sdk) => {
    const requests = listUpstreamRequests(sdk, "chat");
    expect(new Set(requests.map(({ headers }) => headers.authorization))).toEqual(
      new Set([`Bearer ${ACCOUNT_KEY}`]),
    );
    expect(JSON.stringify(requests.map(({ rawHeaders }) => rawHeaders))).not.toContain(CALLER_KEY);
  });
});
