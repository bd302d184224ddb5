import { expect, test } from "vitest";
import { startTestGateway } from "../support/gateway.ts";
import { openStream, startHeldUpstream } from "../support/held-upstream.ts";
import { isListening } from "../support/ports.ts";
import { scrape } from "../support/scrape.ts";
import { waitFor, waitUntil } from "../support/wait.ts";

test("the metrics can be scraped during the shutdown delay and the grace time, and close last", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, { METRICS_PORT: "0" });
  const stream = await openStream(gateway.port);
  const read = async (name: string): Promise<number | undefined> =>
    (await scrape(gateway.metricsUrl)).sum(name);
  expect(await read("sluice_shutting_down")).toBe(0);
  const stopped = gateway.stop({ delayMs: 1_000, graceMs: 60_000 });
  await waitUntil(async () => (await read("sluice_shutting_down")) === 1, "the shutdown");
  await waitUntil(async () => !(await isListening(gateway.port)), "the gateway to stop listening");
  // In the grace time, the last stream is still in flight.
  expect(await read("sluice_requests_in_flight")).toBe(1);
  expect(await read("sluice_shutting_down")).toBe(1);
  finish();
  await stream.waitForResponse("the stream");
  await waitFor(stopped, "the gateway to stop");
  expect(await isListening(Number(new URL(gateway.metricsUrl ?? "").port))).toBe(false);
});
