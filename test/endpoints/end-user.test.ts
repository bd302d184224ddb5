import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { readEndUser } from "../../src/endpoints/end-user.ts";
import { buildChatBody } from "../support/chat-request.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { readRows } from "../support/metered-gateway.ts";
import { waitUntil } from "../support/wait.ts";

const CHAT = {};
const MESSAGES = { hasMetadataUserId: true };
const read = (source: string, fields: object, headers = {}, endpoint = CHAT): string | undefined =>
  readEndUser({ source, budgets: {} }, { headers, fields: fields as Record<string, unknown>, endpoint });

test.each([
  ["the field user", { user: "bob" }, CHAT, "bob"],
  ["metadata.user_id of messages", { user: "eve", metadata: { user_id: "bob" } }, MESSAGES, "bob"],
  ["no field user", {}, CHAT, undefined],
  ["an empty user", { user: "" }, CHAT, undefined],
  ["a user of NUL characters, which no database stores,", { user: "\0\0" }, CHAT, undefined],
  ["a user that is null", { user: null }, CHAT, undefined],
  ["metadata that is a list", { user: "eve", metadata: ["bob"] }, MESSAGES, undefined],
  ["a user_id that is a number", { metadata: { user_id: 5 } }, MESSAGES, undefined],
  ["metadata.user_id of another API", { metadata: { user_id: "bob" } }, CHAT, undefined],
  ["a long user", { user: "x".repeat(1_000) }, CHAT, "x".repeat(128)],
  ["a user with a lone surrogate", { user: "a\ud800" }, CHAT, "a\ufffd"],
])("with the source user, the end user from %s is as expected", (_what, fields, endpoint, expected) => {
  expect(read("user", fields, {}, endpoint)).toBe(expected);
});

test("with a header as source, the field user is ignored", () => {
  const fields = { user: "eve" };
  expect(read("header:x-user", fields, { "x-user": "bob" })).toBe("bob");
  expect(read("header:x-user", fields, { "x-user": "" })).toBeUndefined();
  expect(read("header:x-user", fields)).toBeUndefined();
});

test("the ledger has the end user of a request if its key has a source, and the group of the key", async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const gateway = await startKeyedGateway(simulator.baseUrl);
  const group = (await gateway.callAdmin("POST", "/groups", { name: "team-a" })).body.id;
  const end_users = { source: "header:X-OpenWebUI-User-Email" };
  const named = (await gateway.callAdmin("POST", "/keys", { name: "named", end_users, group: "team-a" }))
    .body;
  const plain = (await gateway.callAdmin("POST", "/keys", { name: "plain" })).body;
  const byField = (await gateway.callAdmin("POST", "/keys", { name: "field", end_users: { source: "user" } }))
    .body;
  const headers = { "x-openwebui-user-email": "bob@example.com" };
  const body = buildChatBody({ user: "eve" });
  for (const { secret } of [named, plain, byField])
    expect((await gateway.call(secret, { headers, body })).status).toBe(200);
  const rows = await waitUntil(async () => {
    const found = await readRows(gateway);
    const isFinal = found.length === 3 && found.every(({ state }) => state !== "open");
    return isFinal ? found : undefined;
  }, "three rows");
  const found = Object.fromEntries(rows.map((row) => [row.key_id, [row.group_id, row.end_user]]));
  expect(found).toEqual({
    [named.id]: [group, "bob@example.com"],
    [plain.id]: [null, null],
    [byField.id]: [null, "eve"],
  });
  // The header is not one that is forwarded, and the body is.
  expect(simulator.seen.map(({ headers: sent }) => sent["x-openwebui-user-email"])).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
