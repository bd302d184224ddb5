import { expect, test } from "vitest";
import { CHAT_PATH } from "../support/chat-request.ts";
import { CALLER_KEY, startTestGateway } from "../support/gateway.ts";
import { openStream, startHeldUpstream } from "../support/held-upstream.ts";
import { RawClient } from "../support/raw-client.ts";
import { scrape } from "../support/scrape.ts";
import { waitUntil } from "../support/wait.ts";

test("the metrics show requests and uploads in flight, connections, body memory, and their limits", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, {
    METRICS_PORT: "0",
    MAX_IN_FLIGHT: "8",
    MAX_CONNECTIONS: "50",
    BODY_LIMIT_BYTES: "1000000",
    BODY_MEMORY_BYTES: "5000000",
  });
  const read = async (name: string) => (await scrape(gateway.metricsUrl)).sum(`sluice_${name}`);
  const stream = await openStream(gateway.port);
  const upload = new RawClient(gateway.port);
  upload.send(
    `POST ${CHAT_PATH} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${CALLER_KEY}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"model"`,
  );
  await waitUntil(async () => (await read("uploads_in_flight")) === 1, "the upload to begin");
  expect(await read("requests_in_flight")).toBe(2);
  expect(await read("requests_in_flight_limit")).toBe(8);
  expect(await read("connections")).toBe(2);
  expect(await read("connections_limit")).toBe(50);
  expect(await read("body_memory_bytes")).toBeGreaterThanOrEqual(8);
  expect(await read("body_memory_limit_bytes")).toBe(5_000_000);
  expect(await read("shutting_down")).toBe(0);
  upload.socket.destroy();
  finish();
  await stream.waitForResponse("the end of the stream");
  await waitUntil(async () => (await read("requests_in_flight")) === 0, "all requests to end");
  expect(await read("uploads_in_flight")).toBe(0);
  expect(await read("body_memory_bytes")).toBe(0);
});

test("the metrics show a shutdown while requests in flight are served", async () => {
  const { upstream, finish } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl, { METRICS_PORT: "0" });
  await openStream(gateway.port);
  const stopping = gateway.stop({ delayMs: 0, graceMs: 10_000 });
  await waitUntil(
    async () => (await scrape(gateway.metricsUrl)).sum("sluice_shutting_down") === 1,
    "the shutdown to begin",
  );
  expect((await scrape(gateway.metricsUrl)).sum("sluice_requests_in_flight")).toBe(1);
  finish();
  await stopping;
});
