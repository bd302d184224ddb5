import { openDatabase } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { CHAT_PATH, buildChatBody } from "./chat-request.ts";
import { type KeyedGateway, startKeyedGateway } from "./keyed-gateway.ts";
import { RawClient } from "./raw-client.ts";
import { type Script, startScriptedUpstream } from "./scripted-upstream.ts";
import { waitUntil } from "./wait.ts";

/** Starts a gateway with a ledger in front of a scripted upstream. @returns both, and a key that drains. */
export async function startMeteredGateway(script: Script, env: Record<string, string> = {}) {
  const upstream = await startScriptedUpstream(script);
  // Asking for bills is not what these tests are about.
  const gateway = await startKeyedGateway(upstream.baseUrl, { SETTLE_AFTER_MS: "60000", ...env });
  return { upstream, gateway, secret: await createDrainingKey(gateway) };
}

/** A key whose answers are read on when its caller leaves. */
export async function createDrainingKey(gateway: KeyedGateway): Promise<string> {
  const { body } = await gateway.callAdmin("POST", "/keys", { name: "drain", on_disconnect: "drain" });
  return body.secret as string;
}

/** Sends a streamed request. @param fields added to its body, or in place of what it has. */
export function sendStream(port: number, secret: string, fields: Record<string, unknown> = {}): RawClient {
  const client = new RawClient(port);
  client.post(CHAT_PATH, buildChatBody({ stream: true, ...fields }), { authorization: `Bearer ${secret}` });
  return client;
}

/** Every row of a gateway's ledger, oldest first. */
export async function readRows({ dataDir }: KeyedGateway): Promise<RequestRow[]> {
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  const rows = await database.kysely.selectFrom("requests").selectAll().orderBy("id").execute();
  await database.close();
  return rows;
}

/** The one row of the ledger, once its request has ended. */
export const waitForRow = (gateway: KeyedGateway): Promise<RequestRow> =>
  waitUntil(async () => (await readRows(gateway)).find(({ state }) => state !== "open"), "the row");
