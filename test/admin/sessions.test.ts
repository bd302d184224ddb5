import { expect, onTestFinished, test } from "vitest";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { startAdminApp } from "../support/admin-app.ts";
import { buildChatBody, CHAT_PATH } from "../support/chat-request.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { createSettledRow, insertRequests } from "../support/ledger-rows.ts";
import { RawClient } from "../support/raw-client.ts";
import { sendRequest } from "../support/send-request.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { waitUntil } from "../support/wait.ts";

/** Sessions that clients send, and the sessions that the ledger then has. */
const SENT: readonly (readonly [sent: string, stored: string])[] = [
  ["0b6c4d9e-session", "0b6c4d9e-session"],
  ["<script>alert(1)</script>", "<script>alert(1)</script>"],
  ["=1+1", "=1+1"],
  ["a\tb", "a\tb"],
  // Node reads each byte as one character, also those that are control characters.
  ["x\u0085\u009b31m\u00e9", "x\u0085\u009b31m\u00e9"],
  ["s".repeat(5_000), "s".repeat(128)],
];

/** Sends a chat completion. The headers are sent as bytes, one for each character. */
async function send(gateway: KeyedGateway, headers: Record<string, string>): Promise<void> {
  const body = buildChatBody();
  const all = {
    host: "gateway",
    authorization: `Bearer ${gateway.caller}`,
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const client = new RawClient(gateway.port);
  client.send(Buffer.from(`POST ${CHAT_PATH} HTTP/1.1\r\n${lines.join("")}\r\n${body}`, "latin1"));
  expect((await client.waitForResponse("the completion")).status).toBe(200);
}

async function startGateway(): Promise<KeyedGateway> {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return startKeyedGateway(simulator.baseUrl);
}

async function waitForRows(gateway: KeyedGateway, count: number): Promise<void> {
  const countRows = async (): Promise<number> =>
    (await gateway.callAdmin("GET", "/requests?state=settled")).body.data.length;
  await waitUntil(async () => (await countRows()) === count, "the rows");
}

test("lists the requests of a session, whatever text its client chose, and never logs that text", async () => {
  const gateway = await startGateway();
  await send(gateway, {});
  for (const [session] of SENT) await send(gateway, { "x-session-id": session });
  await waitForRows(gateway, SENT.length + 1);
  for (const [sent, stored] of SENT) {
    const { status, body } = await gateway.callAdmin("GET", `/requests?session=${encodeURIComponent(sent)}`);
    const sessions = body.data.map((row: { session: string }) => row.session);
    expect([sent, status, sessions]).toEqual([sent, 200, [stored]]);
    expect([sent, gateway.readLog().includes(JSON.stringify(stored).slice(1, -1))]).toEqual([sent, false]);
  }
  expect((await gateway.callAdmin("GET", "/requests?session=other")).body.data).toEqual([]);
});

test.each(["x-session-id", "x-claude-code-session-id", "session-id", "session_id", "x-opencode-session"])(
  "takes the session from the header %s",
  async (name) => {
    const gateway = await startGateway();
    await send(gateway, { [name]: "mine" });
    await waitForRows(gateway, 1);
    expect((await gateway.callAdmin("GET", "/requests?session=mine")).body.data).toHaveLength(1);
  },
);

test("a session cannot begin a formula in CSV, and is sent as JSON exactly", async () => {
  const sessions = ["=cmd|' /C calc'!A0", "\t@SUM(1)", "a;=1", '"quoted"', "<script>", "x\u202e\u0085y"];
  const database = await openTestDatabase();
  await insertRequests(
    database,
    sessions.map((session, index) => createSettledRow(index, { session }, index)),
  );
  const { port } = await startAdminApp(database);
  const get = async (format: string) =>
    sendRequest(port, {
      method: "GET",
      path: `/admin/v1/requests?from=2026-11-01&to=2026-12-01&format=${format}`,
      body: "",
    });
  const json = await get("json");
  expect(json.headers["content-type"]).toContain("application/json");
  const { data } = JSON.parse(json.body.toString()) as { data: { session: string }[] };
  expect(data.map(({ session }) => session)).toEqual(sessions);
  const csv = await get("csv");
  expect(csv.headers["content-type"]).toBe("text/csv; charset=utf-8");
  const lines = csv.body.toString().split("\r\n").slice(1, -1);
  const cells = [`,"'=cmd|' /C calc'!A0",`, `,"'\t'@SUM(1)",`, `,"'a;'=1",`, ',"""quoted""",', ",<script>,"];
  expect(lines).toHaveLength(sessions.length);
  cells.forEach((cell, index) => expect(lines[index]).toContain(cell));
});

test.each([
  ["session=", "session must not be empty."],
  ["session=a&session=b", "session must be a string."],
])("refuses %s", async (query, message) => {
  const { port } = await startAdminApp(await openTestDatabase());
  const response = await sendRequest(port, { method: "GET", path: `/admin/v1/requests?${query}`, body: "" });
  expect([response.status, JSON.parse(response.body.toString()).error.message]).toEqual([400, message]);
});
