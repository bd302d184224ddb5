import { onTestFinished } from "vitest";
import { type BalancerProcess, launchBalancer } from "./balancer-process.ts";
import { createTemporaryDirectory } from "./temporary-directory.ts";

/**
 * Starts a load balancer with a file from `deploy/`, in which only the addresses are replaced. It stops when the test
 * ends.
 * @param file one of `BALANCER_FILES`. @param gateways ports of two gateways.
 */
export async function startBalancer(
  file: string,
  gateways: readonly [number, number],
): Promise<BalancerProcess> {
  const balancer = await launchBalancer(file, gateways, { directory: createTemporaryDirectory() });
  onTestFinished(() => balancer.close());
  return balancer;
}
