import { expect, test } from "vitest";
import { AUTHORIZATION, CHAT_PATH, chatBody } from "../support/chat.ts";
import { startTestGateway } from "../support/gateway.ts";
import { startHeldUpstream } from "../support/held-upstream.ts";
import { RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";

test("large bodies arrive whole while the streams of others run", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const body = chatBody({ stream: true, user: "x".repeat(8_000_000) });
  const clients = Array.from({ length: 12 }, () => new RawClient(gateway.port));
  for (const client of clients) {
    client.post(CHAT_PATH, body, AUTHORIZATION);
    await until(() => client.response(), "the stream");
  }
  expect(upstream.seen.every((seen) => seen.body.length === body.length)).toBe(true);
});
