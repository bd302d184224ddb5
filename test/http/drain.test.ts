import { expect, onTestFinished, test } from "vitest";
import { quietTurn } from "../../src/http/drain.ts";
import { CHAT_PATH, chatBody } from "../support/chat.ts";
import { startTestGateway } from "../support/gateway.ts";
import { EVENT, startHeldUpstream } from "../support/held-upstream.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { listens } from "../support/listens.ts";
import { RawClient } from "../support/raw-client.ts";
import { until, within } from "../support/until.ts";

/** Keeps every turn of the event loop busy until `ends()`. @returns how many there were. */
function busyTurns(ends: () => boolean): { count: () => number } {
  let turns = 0;
  const turn = (): void => {
    if (ends()) return;
    turns++;
    const busyUntil = performance.now() + 0.2;
    while (performance.now() < busyUntil);
    setImmediate(turn);
  };
  setImmediate(turn);
  return { count: () => turns };
}

test("a quiet turn of the event loop is waited for until the work there was is done", async () => {
  let turns = 0;
  const { count } = busyTurns(() => ++turns > 3);
  const startedAt = performance.now();
  await quietTurn();
  // A machine that stands still for so long has no quiet turn either.
  expect(count() === 3 || performance.now() - startedAt >= 20).toBe(true);
});

test("a process that is always busy does not wait for a quiet turn for long", async () => {
  let over = false;
  onTestFinished(() => void (over = true));
  busyTurns(() => over);
  const startedAt = performance.now();
  await within(quietTurn(), "the turn", 2_000);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(20);
});

test("a stream that begins after the grace time is cut too, whatever its key reads on", async () => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startKeyedGateway(upstream.baseUrl);
  const { body } = await gateway.manage("POST", "/keys", { name: "drain", on_disconnect: "drain" });
  const authorization = { authorization: `Bearer ${String(body.secret)}` };
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, chatBody(), authorization);
  await client.whole("an answer before");
  const stopped = gateway.stop();
  await until(async () => !(await listens(gateway.port)), "the gateway to stop listening");
  client.post(CHAT_PATH, chatBody({ stream: true }), authorization);
  await until(() => client.received.includes(EVENT), "the late stream to begin");
  await within(stopped, "the gateway to stop", 8_000);
  await until(() => upstream.open.size === 0, "upstream to be let go");
  expect(client.received.includes("[DONE]")).toBe(false);
});

test.each([
  ["a header without an end", "x"],
  ["empty lines", "\r\n"],
])("a caller who sends %s does not hold up the end of a gateway", async (_, bytes) => {
  const { upstream } = await startHeldUpstream();
  const gateway = await startTestGateway(upstream.baseUrl);
  const slow = new RawClient(gateway.port);
  if (bytes === "x") slow.send("GET /healthz HTTP/1.1\r\nx-slow: ");
  const sending = setInterval(() => slow.socket.writable && slow.send(bytes), 50);
  onTestFinished(() => clearInterval(sending));
  await until(() => slow.socket.bytesWritten > 0, "the first bytes");
  await within(gateway.stop({ drainMs: 0, graceMs: 60_000 }), "the gateway to stop", 5_000);
  expect(await slow.ended("the slow caller")).toBeUndefined();
});
