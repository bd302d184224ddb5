import { expect, test } from "vitest";
import { startTestGateway } from "../support/gateway.ts";
import { RawClient } from "../support/raw-client.ts";

/** The gateway allows 15 s for the headers of a request, and Node checks this limit every 3 s. */
const DEADLINE_MS = 40_000;

test(
  "responds with 408 to headers that never end, and closes a silent connection without a response",
  { timeout: 60_000 },
  async () => {
    const gateway = await startTestGateway("http://127.0.0.1:9/api/v1");
    const [slow, silent] = [new RawClient(gateway.port), new RawClient(gateway.port)];
    slow.send("POST /openai/v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n");
    const drip = setInterval(() => slow.send("x-a: b\r\n"), 1_000);
    const response = await slow.waitForEnd("the slow headers", DEADLINE_MS);
    clearInterval(drip);
    expect([response?.status, JSON.parse(response?.body.toString() ?? "")]).toMatchObject([
      408,
      { error: { code: "request_timeout" } },
    ]);
    await silent.waitForEnd("the silent connection", DEADLINE_MS);
    expect(silent.received.length).toBe(0);
  },
);
