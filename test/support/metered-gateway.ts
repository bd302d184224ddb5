import { openDatabase } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { CHAT_PATH, buildChatBody } from "./chat-request.ts";
import { type KeyedGateway, startKeyedGateway } from "./keyed-gateway.ts";
import { RawClient } from "./raw-client.ts";
import { type Script, startScriptedUpstream } from "./scripted-upstream.ts";
import { waitUntil } from "./wait.ts";

/**
 * Starts a gateway with a ledger in front of a scripted upstream.
 * @returns both, and the secret of a key whose responses are drained when the client disconnects.
 */
export async function startMeteredGateway(script: Script, env: Record<string, string> = {}) {
  const upstream = await startScriptedUpstream(script);
  // These tests do not need cost lookups.
  const gateway = await startKeyedGateway(upstream.baseUrl, { SETTLE_AFTER_MS: "60000", ...env });
  return { upstream, gateway, secret: await createDrainingKey(gateway) };
}

/** Creates a key whose responses are drained when the client disconnects. */
export async function createDrainingKey(gateway: KeyedGateway): Promise<string> {
  const { body } = await gateway.callAdmin("POST", "/keys", { name: "drain", on_disconnect: "drain" });
  return body.secret as string;
}

/** Sends a streaming request. @param fields add to the fields of its body, or replace them. */
export function sendStream(port: number, secret: string, fields: Record<string, unknown> = {}): RawClient {
  const client = new RawClient(port);
  client.post(CHAT_PATH, buildChatBody({ stream: true, ...fields }), { authorization: `Bearer ${secret}` });
  return client;
}

/** Returns all rows of a gateway's ledger, oldest first. */
export async function readRows({ dataDir }: KeyedGateway): Promise<RequestRow[]> {
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  const rows = await database.kysely.selectFrom("requests").selectAll().orderBy("id").execute();
  await database.close();
  return rows;
}

/** Waits for the only row of the ledger to leave the state `open`. */
export const waitForRow = (gateway: KeyedGateway): Promise<RequestRow> =>
  waitUntil(async () => (await readRows(gateway)).find(({ state }) => state !== "open"), "the row");
