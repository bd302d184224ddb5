import { expect, test } from "vitest";
import { startTestGateway } from "../support/gateway.ts";
import { startHeldUpstream } from "../support/held-upstream.ts";
import { scrape } from "../support/scrape.ts";

test("the metrics are on a listener of their own, and not on the public port", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, { METRICS_PORT: "0" });
  const { sum } = await scrape(gateway.metricsUrl);
  expect(sum("sluice_build_info", { node: process.version, mode: "account" })).toBe(1);
  expect(sum("sluice_requests_in_flight")).toBe(0);
  expect(sum("process_cpu_seconds_total")).toBeGreaterThan(0);
  const onPublicPort = await fetch(new URL("/metrics", gateway.url));
  expect(onPublicPort.status).toBe(404);
});

test("without METRICS_PORT, there is no listener", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  expect(gateway.metricsUrl).toBeUndefined();
});
