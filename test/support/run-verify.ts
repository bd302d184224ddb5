import { onTestFinished } from "vitest";
import { startSimulator, type Simulator } from "../../tools/simulator/simulator.ts";
import { type Report, runChecks } from "../../tools/verify/run.ts";
import { PROXY_KEY, type ProxyFault, startProxy } from "./lossy-proxies.ts";

/** The suite sends 256 MB and waits several times. It takes about 15 s for a correct gateway. */
export const SUITE_TIMEOUT_MS = 120_000;

/** Starts a simulator on a free port. It stops when the test ends. */
export async function startVerifySimulator(): Promise<Simulator> {
  const simulator = await startSimulator({ keepSeen: 0 });
  onTestFinished(() => simulator.close());
  return simulator;
}

/** Lists the failed checks and their actual results, for the message of a failed test. */
export function listFailures({ results }: Report): string[] {
  return results.filter(({ pass }) => !pass).map(({ id, got }) => `${id}: ${got}`);
}

/** Runs the suite against a proxy with one fault, or with none. */
export async function checkProxy(fault?: ProxyFault): Promise<Report> {
  const simulator = await startVerifySimulator();
  const gateway = await startProxy(simulator.baseUrl, fault);
  return runChecks({ gateway, key: PROXY_KEY, simulator });
}
