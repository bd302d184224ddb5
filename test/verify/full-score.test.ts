import { expect, test } from "vitest";
import { CANCEL_CHECKS } from "../../tools/verify/checks/cancel.ts";
import { runChecks } from "../../tools/verify/run.ts";
import { CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { checkProxy, listFailures, startVerifySimulator, SUITE_TIMEOUT_MS } from "../support/run-verify.ts";

test.each([
  ["without a ledger", false],
  ["with a ledger", true],
])("the gateway %s passes all checks", { timeout: SUITE_TIMEOUT_MS }, async (_, metering) => {
  const simulator = await startVerifySimulator();
  const { url } = await startTestGateway(
    simulator.baseUrl,
    // By default, a gateway with a ledger waits for the response head after a disconnect; see the next test.
    metering ? { DATA_DIR: createTemporaryDirectory(), DISCONNECT_HEAD_WAIT_MS: "0" } : {},
  );
  const report = await runChecks({ gateway: `${url}/openai/v1`, key: CALLER_KEY, simulator });
  expect(listFailures(report)).toEqual([]);
  expect(report).toMatchObject({ passed: report.total, skipped: [] });
  expect(report.total).toBeGreaterThan(220);
  expect(report.ms).toBeLessThan(60_000);
});

test("the gateway with a ledger and default settings fails only the two checks that disconnect before the response head", async () => {
  const simulator = await startVerifySimulator();
  const { url } = await startTestGateway(simulator.baseUrl, { DATA_DIR: createTemporaryDirectory() });
  const only = CANCEL_CHECKS.map(({ id }) => id);
  const report = await runChecks({ gateway: `${url}/openai/v1`, key: CALLER_KEY, simulator, only });
  const failed = report.results.filter(({ pass }) => !pass).map(({ id }) => id);
  expect(failed).toEqual(["cancel/before-first-byte", "cancel/plain"]);
});

test("a plain proxy without a fault passes all checks", { timeout: SUITE_TIMEOUT_MS }, async () => {
  expect(listFailures(await checkProxy())).toEqual([]);
});
