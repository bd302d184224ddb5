import { expect, test } from "vitest";
import { runChecks } from "../../src/verify/run.ts";
import { CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { temporaryDirectory } from "../support/store.ts";
import { checkProxy, failuresOf, simulate, SUITE_TIMEOUT_MS } from "./support.ts";

test.each([
  ["without a ledger", false],
  ["with a ledger", true],
])("our gateway %s gets the full score", { timeout: SUITE_TIMEOUT_MS }, async (_, metering) => {
  const simulator = await simulate();
  const { url } = await startTestGateway(
    simulator.baseUrl,
    metering ? { DATA_DIR: temporaryDirectory() } : {},
  );
  const report = await runChecks({ gateway: `${url}/openai/v1`, key: CALLER_KEY, simulator });
  expect(failuresOf(report)).toEqual([]);
  expect(report).toMatchObject({ passed: report.total, skipped: [] });
  expect(report.total).toBeGreaterThan(130);
  expect(report.ms).toBeLessThan(60_000);
});

test("a plain proxy without a fault gets the full score", { timeout: SUITE_TIMEOUT_MS }, async () => {
  expect(failuresOf(await checkProxy())).toEqual([]);
});
