import { expect, test } from "vitest";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { DONE, EVENT, startHeldUpstream, openStream } from "../support/held-upstream.ts";
import { BALANCER_FILES } from "../support/balancer-process.ts";
import { startBalancer } from "../support/load-balancer.ts";
import { RawClient } from "../support/raw-client.ts";
import { type Script, startScriptedUpstream } from "../support/scripted-upstream.ts";
import { waitUntil } from "../support/wait.ts";

/** Starts two gateways behind a load balancer. Upstream runs the script; without one, it keeps its streams open. */
async function startFleet(file: string, script?: Script) {
  const { upstream, finish } = script
    ? { upstream: await startScriptedUpstream(script), finish: () => {} }
    : await startHeldUpstream();
  const start = (port = 0): Promise<TestGateway> =>
    startTestGateway(upstream.baseUrl, { PORT: String(port), TRUST_PROXY: "127.0.0.1" });
  const gateways: [TestGateway, TestGateway] = [await start(), await start()];
  const { port } = await startBalancer(file, [gateways[0].port, gateways[1].port]);
  await waitUntil(
    () =>
      sendRequest(port, { method: "GET", path: "/readyz", body: "" }).then(
        ({ status }) => status === 200,
        () => false,
      ),
    "the load balancer to find its gateways",
  );
  const logged = () => gateways.flatMap(({ logs }) => logs).filter(({ msg }) => msg === "request");
  return { upstream, finish, gateways, port, start, logged };
}

test.each(BALANCER_FILES)("with deploy/%s forwards each event when upstream sends it", async (file) => {
  const { port, finish } = await startFleet(file);
  const stream = await openStream(port);
  expect(stream.readResponse()?.body.toString()).toBe(EVENT);
  finish();
  expect((await stream.waitForResponse("the stream")).body.toString()).toBe(EVENT + DONE);
});

test.each(BALANCER_FILES)(
  "with deploy/%s aborts the upstream request when the client disconnects during a stream",
  async (file) => {
    const { port, upstream, logged } = await startFleet(file);
    const stream = await openStream(port);
    stream.socket.destroy();
    const logLine = await waitUntil(
      () => logged().find(({ outcome }) => outcome === "client_gone"),
      "the gateway to notice the disconnect",
    );
    await waitUntil(() => upstream.open.size === 0, "the upstream connection to close");
    expect(logLine).toMatchObject({ stream: true, bytes_out: EVENT.length });
  },
);

test.each(BALANCER_FILES)(
  "with deploy/%s aborts the upstream request when the client disconnects before the first byte",
  async (file) => {
    const { port, upstream, logged } = await startFleet(file, () => {});
    const silent = new RawClient(port);
    silent.post(CHAT_PATH, buildChatBody({ stream: true }), AUTHORIZATION);
    await waitUntil(() => upstream.seen.length === 1, "the request at upstream");
    silent.socket.destroy();
    const logLine = await waitUntil(
      () => logged().find(({ outcome }) => outcome === "client_gone"),
      "the gateway to notice the disconnect",
    );
    expect(logLine).toMatchObject({ bytes_out: 0 });
  },
);

test.each(BALANCER_FILES)(
  "with deploy/%s ends a stream with an error event, and leaves it incomplete, when upstream disconnects",
  async (file) => {
    const { port, upstream } = await startFleet(file);
    const stream = await openStream(port);
    for (const socket of upstream.open) socket.destroy();
    await waitUntil(() => stream.readResponse()?.body.includes("upstream_disconnected"), "the error event");
    // Caddy 2.6 ends every response cleanly, even one that the gateway aborts. Only the last event shows the error.
    const complete = file === "Caddyfile" || (await stream.waitForEnd("the truncated stream"))?.complete;
    expect(complete).toBe(file === "Caddyfile");
    expect(stream.readResponse()?.body.toString()).not.toContain("[DONE]");
  },
);

test.each(BALANCER_FILES)(
  "with deploy/%s loses no request when the gateways are replaced one after the other",
  async (file) => {
    const { port, gateways, start } = await startFleet(file);
    const statuses = new Set<number | string>();
    const replaced = new AbortController();
    const worker = async (): Promise<void> => {
      while (!replaced.signal.aborted)
        statuses.add(await sendRequest(port).then((response) => response.status, String));
    };
    const workers = Array.from({ length: 4 }, worker);
    for (const gateway of gateways) {
      // nginx does not check /readyz, so it does not notice the shutdown.
      await gateway.stop({ delayMs: file.endsWith("nginx.conf") ? 0 : 2_000, graceMs: 5_000 });
      const next = await start(gateway.port);
      // Operators should do the same: stop the second gateway only when the new first gateway receives requests.
      await waitUntil(
        () => next.logs.some(({ msg }) => msg === "request"),
        "the new gateway to receive a request",
        10_000,
      );
    }
    replaced.abort();
    await Promise.all(workers);
    expect([...statuses]).toEqual([200]);
  },
  30_000,
);
