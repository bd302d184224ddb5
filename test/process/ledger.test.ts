import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Simulator, startSimulator } from "../../tools/simulator/simulator.ts";
import { openDatabase } from "../../src/store/database.ts";
import type { RequestRow } from "../../src/metering/record.ts";
import { sendRequest } from "../support/send-request.ts";
import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "../support/chat-request.ts";
import { ACCOUNT_KEY, CALLER_KEY } from "../support/gateway.ts";
import { waitForPort, runNode, type TestProcess } from "../support/run-node.ts";
import { RawClient } from "../support/raw-client.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";

async function startUpstream(): Promise<Simulator> {
  const simulator = await startSimulator({ generationDelayMs: 100 });
  onTestFinished(() => simulator.close());
  return simulator;
}

function start(simulator: Simulator, DATA_DIR: string): TestProcess {
  return runNode("src/server.ts", {
    PORT: "0",
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    OPENROUTER_BASE_URL: simulator.baseUrl,
    GATEWAY_API_KEYS: `team:${CALLER_KEY}`,
    SETTLE_AFTER_MS: "50",
    DRAIN_MS: "0",
    DATA_DIR,
  });
}

async function rowsIn(dataDir: string): Promise<RequestRow[]> {
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  const rows = await database.kysely.selectFrom("requests").selectAll().orderBy("id").execute();
  await database.close();
  return rows;
}

function post(port: number, fields: Record<string, unknown>): RawClient {
  const client = new RawClient(port);
  client.post(CHAT_PATH, buildChatBody(fields), AUTHORIZATION);
  return client;
}

test("after a kill, the next gateway settles the interrupted stream at the cost that upstream billed", async () => {
  const simulator = await startUpstream();
  const dataDir = createTemporaryDirectory();
  const first = start(simulator, dataDir);
  const port = await waitForPort(first);
  const stream = post(port, { model: "sim/ok:gapMs=50,events=200", stream: true });
  await waitUntil(() => stream.readResponse()?.body.length, "the stream to begin");
  const withoutResponse = post(port, { model: "sim/hang", stream: true });
  await waitUntil(() => simulator.readStats().requests === 2, "both requests at upstream");
  const completeResponse = await sendRequest(port);
  first.child.kill("SIGKILL");
  await first.waitForExit("the killed gateway");
  await waitUntil(() => stream.isClosed && withoutResponse.isClosed, "the connections to break");

  const second = start(simulator, dataDir);
  await waitForPort(second);
  const rows = await waitUntil(async () => {
    const all = await rowsIn(dataDir);
    const finished = all.every(({ state }) => state === "settled" || state === "unknown");
    return all.length === 3 && finished ? all : undefined;
  }, "three finished rows");
  const [streamed, hanging, complete] = rows;
  expect(streamed).toMatchObject({ state: "settled", cost_source: "generation", outcome: "interrupted" });
  expect(streamed?.cost_nanodollars).toBe(simulator.findBilledNanodollars(streamed?.generation_id ?? ""));
  expect(hanging).toMatchObject({ state: "unknown", generation_id: null, cost_source: "unknown" });
  expect(complete?.generation_id).toBe(completeResponse.headers["x-generation-id"]);
  expect(complete?.cost_nanodollars).toBe(simulator.findBilledNanodollars(complete?.generation_id ?? ""));
  await waitUntil(() => second.stdout().includes("ledger: cost of a request is unknown"), "the log line");
}, 60_000);

test("if the start line of a request in the journal is damaged, the next gateway still charges the request to its key, and logs the damage", async () => {
  const simulator = await startUpstream();
  const dataDir = createTemporaryDirectory();
  const first = start(simulator, dataDir);
  const port = await waitForPort(first);
  const stream = post(port, { model: "sim/ok:gapMs=50,events=200", stream: true });
  await waitUntil(() => stream.readResponse()?.body.length, "the stream to begin");
  first.child.kill("SIGKILL");
  await first.waitForExit("the killed gateway");
  // Simulates a disk that has lost the first page of the journal. It has also lost the database, which had the open row.
  const journal = join(dataDir, "journal");
  const [segment = ""] = readdirSync(journal).filter((name) => name.endsWith(".jsonl"));
  const path = join(journal, segment);
  writeFileSync(path, readFileSync(path, "utf8").replace('["start"', "\0".repeat(8)));
  for (const name of readdirSync(dataDir).filter((file) => file.startsWith("sluice.db")))
    rmSync(join(dataDir, name));

  const second = start(simulator, dataDir);
  await waitForPort(second);
  const row = await waitUntil(
    async () => (await rowsIn(dataDir)).find(({ state }) => state === "settled"),
    "the settled row",
  );
  expect(row).toMatchObject({ key_id: "env:team", outcome: "interrupted", cost_source: "generation" });
  expect(row.cost_nanodollars).toBe(simulator.findBilledNanodollars(row.generation_id ?? ""));
  await waitUntil(() => second.stdout().includes("journal: damaged lines"), "the log line");
  const line = second
    .stdout()
    .split("\n")
    .find((text) => text.includes("journal: damaged lines"));
  expect(JSON.parse(line ?? "")).toMatchObject({ level: 50, damagedLines: 1 });
  expect(readdirSync(journal)).toContain(`${segment}.damaged`);
}, 60_000);

test("after a kill, the next gateway settles the request of a disconnected client, or logs the cost as unknown if no response head had arrived", async () => {
  const simulator = await startUpstream();
  const dataDir = createTemporaryDirectory();
  const first = start(simulator, dataDir);
  const port = await waitForPort(first);
  const headless = post(port, { model: "sim/hang", stream: true });
  await waitUntil(() => simulator.readStats().requests === 1, "the first request at upstream");
  const delayed = post(port, { model: "sim/ok:delayMs=100,gapMs=50,events=100", stream: true });
  await waitUntil(() => simulator.readStats().requests === 2, "the second request at upstream");
  for (const { socket } of [headless, delayed]) socket.resetAndDestroy();
  await waitUntil(() => simulator.readStats().aborted === 1, "the second request to be aborted");
  first.child.kill("SIGKILL");
  await first.waitForExit("the killed gateway");

  const second = start(simulator, dataDir);
  await waitForPort(second);
  const rows = await waitUntil(async () => {
    const all = await rowsIn(dataDir);
    const finished = all.every(({ state }) => state === "settled" || state === "unknown");
    return all.length === 2 && finished ? all : undefined;
  }, "two finished rows");
  expect(rows[0]).toMatchObject({ state: "unknown", generation_id: null, outcome: "interrupted" });
  expect(rows[1]).toMatchObject({ state: "settled", cost_source: "generation" });
  expect(rows[1]?.cost_nanodollars).toBe(simulator.findBilledNanodollars(rows[1]?.generation_id ?? ""));
  await waitUntil(() => second.stdout().includes("ledger: cost of a request is unknown"), "the log line");
}, 60_000);

test("after SIGTERM, the gateway writes every row and removes its journal", async () => {
  const simulator = await startUpstream();
  const dataDir = createTemporaryDirectory();
  const gateway = start(simulator, dataDir);
  const port = await waitForPort(gateway);
  for (let count = 0; count < 5; count++) expect((await sendRequest(port)).status).toBe(200);
  gateway.child.kill("SIGTERM");
  expect(await gateway.waitForExit("the gateway")).toBe(0);
  expect(await rowsIn(dataDir)).toHaveLength(5);
  expect(readdirSync(join(dataDir, "journal"))).toEqual([]);
}, 60_000);

/** @returns everything that a process has written to its log and its data directory. */
function writtenBy(gateway: TestProcess, dataDir: string): string[] {
  const files = readdirSync(dataDir, { recursive: true, encoding: "utf8" })
    .map((name) => join(dataDir, name))
    .filter((path) => existsSync(path) && statSync(path).isFile());
  return [gateway.stdout(), ...files.map((path) => readFileSync(path, "latin1"))];
}

test("the gateway writes no secret of the first keys, of created keys or of rotated keys to its log or its files", async () => {
  const simulator = await startUpstream();
  const dataDir = createTemporaryDirectory();
  const gateway = runNode("src/server.ts", {
    PORT: "0",
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    OPENROUTER_BASE_URL: simulator.baseUrl,
    LOG_LEVEL: "trace",
    DATA_DIR: dataDir,
  });
  const port = await waitForPort(gateway);
  const [caller = "", admin = ""] = gateway.stderr().match(/sk-slc-\w{49}/g) ?? [];
  const manage = async (path: string, body: string): Promise<string> => {
    const headers = { authorization: `Bearer ${admin}` };
    const response = await sendRequest(port, { path: `/admin/v1${path}`, body, headers });
    return (JSON.parse(response.body.toString()) as { secret: string }).secret;
  };
  const secrets = [caller, admin, await manage("/keys", '{"name":"bob"}')];
  secrets.push(await manage("/keys/bob/rotate", "{}"));
  for (const secret of secrets) {
    expect(secret).toMatch(/^sk-slc-\w{49}$/);
    await sendRequest(port, { headers: { authorization: `Bearer ${secret}` } });
  }
  gateway.child.kill("SIGTERM");
  expect(await gateway.waitForExit("the gateway")).toBe(0);
  const written = writtenBy(gateway, dataDir);
  expect(written.join("")).toContain("bob");
  for (const secret of [ACCOUNT_KEY, ...secrets])
    expect(written.filter((text) => text.includes(secret))).toEqual([]);
}, 60_000);

test("the gateway writes no secret of its configuration or of its clients to its log or its files", async () => {
  const simulator = await startUpstream();
  const dataDir = createTemporaryDirectory();
  const gateway = start(simulator, dataDir);
  const port = await waitForPort(gateway);
  const hostile = ["' OR '1'='1", "sk-slc-mistyped-0123456789", "x".repeat(1_000_000), "ключ", ""];
  for (const secret of hostile) {
    const authorization = `Bearer ${Buffer.from(secret).toString("latin1")}`;
    // The connection may be reset before the refusal of a 1 MB header is read.
    const refused = await sendRequest(port, { headers: { authorization } }).catch(() => ({ status: 431 }));
    expect(refused.status).toBe(secret.length > 16_384 ? 431 : 401);
  }
  await sendRequest(port);
  await sendRequest(port, { body: buildChatBody({ model: "sim/cut", stream: true }) }).catch(() => {});
  await waitUntil(async () => (await rowsIn(dataDir)).length === 2, "two rows");
  gateway.child.kill("SIGKILL");
  await gateway.waitForExit("the killed gateway");
  const written = [...writtenBy(gateway, dataDir), gateway.stderr()];
  for (const secret of [ACCOUNT_KEY, CALLER_KEY, hostile[1] ?? ""])
    expect(written.filter((text) => text.includes(secret))).toEqual([]);
}, 60_000);
