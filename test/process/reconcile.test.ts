import { expect, test } from "vitest";
import { openDatabase } from "../../src/store/database.ts";
import { insertRequests, NOVEMBER } from "../support/ledger-rows.ts";
import { createUnknownRow } from "../support/unknown-costs.ts";
import { completeChat, sendChat, startTestSimulator } from "../support/simulator.ts";
import { startJsonServer } from "../support/json-server.ts";
import { runNode } from "../support/run-node.ts";
import { createTemporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait.ts";
import { DAY_MS } from "../../src/durations.ts";
import type { RequestRow } from "../../src/metering/record.ts";

const MANAGEMENT_KEY = "sk-or-v1-management-secret";
const ACCOUNT_KEY = "sk-or-v1-account-secret";
const PERIOD = ["--from", "2026-11-01", "--to", "2026-11-02"];
const TIMEOUT_MS = 60_000;

async function writeRows(rows: readonly RequestRow[]): Promise<string> {
  const dataDir = createTemporaryDirectory();
  const database = openDatabase({ dataDir, databaseUrl: undefined }, () => {});
  await database.migrate();
  await insertRequests(database, rows);
  await database.close();
  return dataDir;
}

function reconcile(env: Record<string, string>, ...args: string[]) {
  return runNode("src/server.ts", { OPENROUTER_API_KEY: ACCOUNT_KEY, ...env }, [
    "--cli",
    "reconcile",
    ...args,
  ]);
}

async function runReconcile(env: Record<string, string>, ...args: string[]) {
  const run = reconcile(env, ...args);
  return { code: await run.waitForExit(args.join(" "), 20_000), stdout: run.stdout(), stderr: run.stderr() };
}

test(
  "reconcile corrects the unknown costs that OpenRouter knows, and lists the others",
  async () => {
    const simulator = await startTestSimulator();
    const { id } = await completeChat(simulator, {});
    const unasked = createUnknownRow(2, { generation_id: null, reserved_nanodollars: 40 });
    const dataDir = await writeRows([
      createUnknownRow(1, { generation_id: id }),
      unasked,
      createUnknownRow(3, { generation_id: "gen-absent" }),
    ]);
    const env = { DATA_DIR: dataDir, OPENROUTER_BASE_URL: simulator.baseUrl };
    const billed = simulator.findBilledNanodollars(id) ?? 0;
    const billedUsd = (billed / 1e9).toFixed(9);
    const dry = await runReconcile(env, ...PERIOD, "--dry-run");
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining("dry run, nothing changed") });
    const { code, stdout, stderr } = await runReconcile(env, ...PERIOD, "--json", "--list");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      dry_run: false,
      interrupted: false,
      unknown: {
        found: 3,
        corrected: 1,
        corrected_cost_usd: billedUsd,
        still_unknown: 2,
        remaining: [
          { reason: "not_found", requests: 1 },
          { reason: "no_generation_id", requests: 1, reserved_usd: "0.000000040" },
        ],
        rows: [{ row: unasked.id }, { generation_id: "gen-absent" }],
      },
      unfinished: { open: 0, pending: 0 },
    });
    expect(stdout + stderr).not.toContain(ACCOUNT_KEY);
    const table = await runReconcile(env, ...PERIOD);
    expect(table.stdout).toMatch(/found +corrected .*\n +2 +0 +0\.000000000 /);
    expect(table.stdout).toMatch(/no_generation_id +1 +0\.000000040 +the gateway never received an id/);
    const row = ["--row", unasked.id, "--cost-usd", "0.0123"];
    expect(await runReconcile(env, ...row)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("--reason"),
    });
    const incomplete = ["--cost-usd", "0.0123", "--reason", "activity page"];
    expect(await runReconcile(env, ...incomplete)).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("--cost-usd and --reason need --row"),
    });
    const mistyped = ["--row", unasked.id, "--cost-usd", "1000.01", "--reason", "activity page"];
    expect(await runReconcile(env, ...mistyped)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("at most 1000"),
    });
    const stated = await runReconcile(env, ...row, "--reason", "activity page", "--json");
    expect(JSON.parse(stated.stdout)).toMatchObject({ row: unasked.id, cost_usd: "0.012300000" });
    expect(await runReconcile(env, ...row, "--reason", "again")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("The row is settled"),
    });
  },
  TIMEOUT_MS,
);

test(
  "reconcile exits with code 1 and names the remedy when OpenRouter refuses the key or the key is not set",
  async () => {
    const simulator = await startTestSimulator({ apiKeys: ["another"] });
    const dataDir = await writeRows([createUnknownRow(1)]);
    const env = { DATA_DIR: dataDir, OPENROUTER_BASE_URL: simulator.baseUrl };
    const refused = await runReconcile(env, ...PERIOD);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("Check OPENROUTER_API_KEY") });
    expect(refused.stdout).toMatch(/not_looked_up +1 /);
    expect(refused.stdout + refused.stderr).not.toContain(ACCOUNT_KEY);
    const unset = await runReconcile({ ...env, OPENROUTER_API_KEY: "" }, ...PERIOD);
    expect(unset).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("OPENROUTER_API_KEY is not set"),
    });
  },
  TIMEOUT_MS,
);

test(
  "reconcile compares yesterday with OpenRouter's activity, and shows a request past the gateway",
  async () => {
    const yesterday = new Date(Date.now() - DAY_MS).toISOString().slice(0, 10);
    const clock = { aheadMs: -DAY_MS };
    const simulator = await startTestSimulator({
      managementKey: MANAGEMENT_KEY,
      now: () => Date.now() + clock.aheadMs,
    });
    const headers = { authorization: `Bearer ${ACCOUNT_KEY}`, "content-type": "application/json" };
    const chats = ["openai/gpt-4o-mini", "openai/gpt-4o"].map(async (model) => {
      const response = await sendChat(simulator, { model }, { headers });
      return (await response.json()) as { id: string; usage: Record<string, number> };
    });
    const [chat] = await Promise.all(chats);
    clock.aheadMs = 0;
    const row = createUnknownRow(Date.parse(yesterday) - NOVEMBER + 1, {
      generation_id: chat?.id ?? null,
      forwarded_model: "openai/gpt-4o-mini",
    });
    const dataDir = await writeRows([row]);
    const env = {
      DATA_DIR: dataDir,
      OPENROUTER_BASE_URL: simulator.baseUrl,
      OPENROUTER_MANAGEMENT_KEY: MANAGEMENT_KEY,
    };
    const { code, stdout, stderr } = await runReconcile(env, "--from", yesterday, "--json");
    expect(code).toBe(0);
    const { unknown, activity } = JSON.parse(stdout);
    expect(unknown).toMatchObject({ found: 1, corrected: 1 });
    expect(activity).toMatchObject({
      keys: "gateway_key",
      total: { equal: false, difference: { requests: 1 } },
      days: [
        {
          date: yesterday,
          unknown_requests: 0,
          models: [
            { model: "openai/gpt-4o", equal: false, ledger: { requests: 0 } },
            { model: "openai/gpt-4o-mini", equal: true, difference: { cost_usd: "0.000000000" } },
          ],
        },
      ],
      skipped_days: [{ reason: "not_completed" }],
    });
    expect(stdout + stderr).not.toContain(MANAGEMENT_KEY);
    const table = await runReconcile(env, "--from", yesterday);
    expect(table.stdout).toMatch(/models that differ\n.*\n\S+ +openai\/gpt-4o +0 +1 /);
    const refused = await runReconcile({ ...env, OPENROUTER_MANAGEMENT_KEY: "wrong" }, "--from", yesterday);
    expect(refused).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("OpenRouter refused OPENROUTER_MANAGEMENT_KEY"),
    });
  },
  TIMEOUT_MS,
);

test(
  "SIGINT ends reconcile in a pause, and it prints the results so far",
  async () => {
    const { baseUrl } = await startJsonServer(() => undefined);
    const dataDir = await writeRows([createUnknownRow(1)]);
    const run = reconcile({ DATA_DIR: dataDir, OPENROUTER_BASE_URL: baseUrl }, ...PERIOD, "--json");
    await waitUntil(() => run.stderr().includes("waiting 2 s"), "the pause", 20_000);
    run.child.kill("SIGINT");
    expect(await run.waitForExit("SIGINT", 20_000)).toBe(1);
    expect(run.stderr()).toContain("Interrupted");
    expect(JSON.parse(run.stdout())).toMatchObject({
      from: new Date(NOVEMBER).toISOString(),
      interrupted: true,
      unknown: { corrected: 0 },
    });
  },
  TIMEOUT_MS,
);
