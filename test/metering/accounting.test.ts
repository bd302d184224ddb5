import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Simulator, startSimulator } from "../../tools/simulator/simulator.ts";
import { CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait.ts";

async function start(env: Record<string, string> = {}) {
  const simulator = await startSimulator({ generationDelayMs: 50 });
  onTestFinished(() => simulator.close());
  return { simulator, gateway: await startKeyedGateway(simulator.baseUrl, env) };
}

/** Sends a streaming request, and disconnects as soon as `isReady` returns true. */
async function sendAndDisconnect(
  { gateway, simulator }: { gateway: KeyedGateway; simulator: Simulator },
  model: string,
  isReady: (client: RawClient) => unknown = () => simulator.readStats().requests > 0,
): Promise<void> {
  const client = new RawClient(gateway.port);
  client.post(CHAT_PATH, buildChatBody({ model, stream: true }), {
    authorization: `Bearer ${gateway.caller}`,
  });
  await waitUntil(() => isReady(client), "the moment to disconnect");
  client.socket.destroy();
}

const readUnknownRows = async (gateway: KeyedGateway): Promise<{ id: string }[]> =>
  (await gateway.callAdmin("GET", "/requests?state=unknown")).body.data;

test("rejects a request and sends nothing upstream when the journal cannot record its start", async () => {
  const { gateway, simulator } = await start();
  rmSync(join(gateway.dataDir, "journal"), { recursive: true });
  const response = await gateway.call(gateway.caller);
  expect([response.status, JSON.parse(response.body.toString()).error.code]).toEqual([
    503,
    "store_unavailable",
  ]);
  expect(simulator.readStats().requests).toBe(0);
});

test("records the cost as unknown and logs an error when the client disconnects and upstream sends no head", async () => {
  const running = await start({ DISCONNECT_HEAD_WAIT_MS: "100" });
  await sendAndDisconnect(running, "sim/hang");
  const [row] = await waitUntil(async () => {
    const rows = await readUnknownRows(running.gateway);
    return rows.length > 0 ? rows : undefined;
  }, "the row");
  const line =
    running.gateway
      .readLog()
      .split("\n")
      .find((text) => text.includes("cost of a request is unknown")) ?? "{}";
  expect(JSON.parse(line)).toMatchObject({ level: 50, row: row?.id, key: "first-caller" });
});

test("gives up on a missing cost after SETTLE_GIVE_UP_MS and logs an error", async () => {
  const running = await start({ SETTLE_AFTER_MS: "20", SETTLE_GIVE_UP_MS: "100" });
  const model = "sim/ok:recordMs=600000,gapMs=20,events=100";
  await sendAndDisconnect(running, model, (client) => client.readResponse()?.body.length);
  await waitUntil(
    async () => (await readUnknownRows(running.gateway)).length === 1,
    "the row to be given up",
  );
  expect(running.gateway.readLog()).toContain('"generation_id":"gen-');
  expect(running.gateway.readLog()).toContain("ledger: cost of a request is unknown");
});
