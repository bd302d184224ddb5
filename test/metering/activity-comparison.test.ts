import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { DAY_MS } from "../../src/durations.ts";
import { compareDay, isEqual, listComparableDays } from "../../src/metering/activity-comparison.ts";
import { createActivityReader, findKeyHash } from "../../src/upstream/activity.ts";
import { createGenerationFinder } from "../../src/upstream/generation.ts";
import { connectUpstream } from "../../src/upstream/openrouter.ts";
import { openDatabase } from "../../src/store/database.ts";
import { buildChatBody, CHAT_PATH } from "../support/chat-request.ts";
import { ACCOUNT_KEY } from "../support/gateway.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { readRows } from "../support/metered-gateway.ts";
import { RawClient } from "../support/raw-client.ts";
import { completeChat, startTestSimulator } from "../support/simulator.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { runCorrection } from "../support/unknown-costs.ts";
import { waitUntil } from "../support/wait.ts";
import { activityComparisonContract } from "./activity-comparison-contract.ts";

activityComparisonContract(() => openTestDatabase());

const MANAGEMENT_KEY = "sk-or-management";
const RECORD_MS = 3_000;

test("lists the completed days of a period that OpenRouter's activity has, and names the others", () => {
  const now = Date.UTC(2026, 10, 29, 12);
  const at = (text: string): number => Date.parse(text);
  const days = listComparableDays({ from: at("2024-01-01"), to: at("2026-12-31") }, now);
  expect(days.days).toHaveLength(30);
  expect(days.days[0]).toBe(at("2026-10-30"));
  expect(days.skipped).toEqual([
    { first: "2024-01-01", last: "2026-10-29", reason: "older_than_30_days" },
    { first: "2026-11-29", last: "2026-11-29", reason: "not_completed" },
  ]);
  const part = { from: at("2026-11-01T01:00:00Z"), to: at("2026-11-03T23:00:00Z") };
  expect(listComparableDays(part, now)).toEqual({
    days: [at("2026-11-02")],
    skipped: [
      { first: "2026-11-01", last: "2026-11-01", reason: "partly_in_period" },
      { first: "2026-11-03", last: "2026-11-03", reason: "partly_in_period" },
    ],
  });
});

/** A gateway in front of a simulator, and the comparison of today, as it would be made tomorrow. */
async function startComparison() {
  const clock = { aheadMs: 0 };
  const simulator = await startTestSimulator({
    managementKey: MANAGEMENT_KEY,
    now: () => Date.now() + clock.aheadMs,
    chooseBehaviour: ({ "x-session-id": behaviour }) =>
      behaviour === undefined ? undefined : String(behaviour),
  });
  const gateway = await startKeyedGateway(simulator.baseUrl, { SETTLE_GIVE_UP_MS: "1" });
  const upstream = connectUpstream(loadConfig({ OPENROUTER_BASE_URL: simulator.baseUrl }).upstream);
  const database = openDatabase({ dataDir: gateway.dataDir, databaseUrl: undefined }, () => {});
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const compare = async (usesAllKeys = false) => {
    clock.aheadMs = DAY_MS;
    const keys = { apiKey: ACCOUNT_KEY, managementKey: MANAGEMENT_KEY };
    const hash = usesAllKeys ? undefined : await findKeyHash(upstream, keys);
    const fetchActivity = createActivityReader(upstream, MANAGEMENT_KEY, hash);
    const day = await compareDay({ database, deletedBefore: 0 }, today, fetchActivity);
    clock.aheadMs = 0;
    return day;
  };
  const close = async (): Promise<void> => {
    await upstream.close();
    await database.close();
  };
  return { simulator, gateway, upstream, database, today, compare, close };
}

test("after cancels and unknown costs, the ledger equals the simulator's own sums, and a request past the gateway differs", async () => {
  const { simulator, gateway, upstream, database, today, compare, close } = await startComparison();
  const call = (behaviour: string, fields: Record<string, unknown> = {}) =>
    gateway.call(gateway.caller, {
      body: buildChatBody(fields),
      headers: { "x-session-id": behaviour },
    });
  const stream = (behaviour: string): RawClient => {
    const client = new RawClient(gateway.port);
    const headers = { authorization: `Bearer ${gateway.caller}`, "x-session-id": behaviour };
    client.post(CHAT_PATH, buildChatBody({ stream: true }), headers);
    return client;
  };
  await call("ok");
  await call("ok", { model: "openai/gpt-5-mini", stream: true });
  await call("ok", { model: "anthropic/claude-haiku-4.5:nitro" });
  await call("ok:byok=1", { model: "openai/gpt-5-mini" });
  const cut = stream("cut:after=2");
  await waitUntil(() => cut.isClosed, "the cut response to end");
  const client = stream("ok:gapMs=100,events=20");
  await waitUntil(() => client.received.includes("data: {"), "the first event");
  client.socket.destroy();
  await call(`ok:cost=0,recordMs=${RECORD_MS}`, { model: "openai/gpt-5-mini" });
  await call("error:status=400");
  const states = () => readRows(gateway).then((rows) => rows.map(({ state }) => state));
  await waitUntil(
    async () =>
      (await states()).includes("unknown") &&
      (await states()).every((state) => ["settled", "unknown"].includes(state)),
    "all rows to be final",
    10_000,
  );
  const before = await compare();
  expect(before).toMatchObject({ unknownRequests: 1n, unfinished: { open: 0, pending: 0 } });
  expect(before.models.filter((model) => !isEqual(model)).map(({ model }) => model)).toEqual([
    "openai/gpt-5-mini",
  ]);
  await new Promise((resolve) => setTimeout(resolve, RECORD_MS));
  const { summary } = await runCorrection({
    database,
    findGeneration: createGenerationFinder(upstream, `Bearer ${ACCOUNT_KEY}`),
    period: { from: today, to: today + DAY_MS },
  });
  expect(summary).toMatchObject({ corrected: 1, stillUnknown: 0 });
  const after = await compare();
  expect(after.models.filter((model) => !isEqual(model))).toEqual([]);
  expect(after.models).toHaveLength(3);
  expect(Number(after.total.ledger.cost_nanodollars)).toBe(simulator.readStats().billedNanodollars);
  expect(after.total.ledger).toMatchObject({ requests: 7n });
  expect(Number(after.total.ledger.byok_nanodollars)).toBe(simulator.readStats().byokNanodollars);

  await fetch(`${simulator.baseUrl}/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${ACCOUNT_KEY}`, "content-type": "application/json" },
    body: buildChatBody({ model: "openai/gpt-4o" }),
  }).then((response) => response.text());
  // This request has another key of the account.
  await completeChat(simulator, { model: "openai/gpt-4o" });
  const requests = async (usesAllKeys: boolean) => {
    const { openrouter, ledger } = (await compare(usesAllKeys)).total;
    return openrouter.requests - ledger.requests;
  };
  expect([await requests(false), await requests(true)]).toEqual([1n, 2n]);
  await close();
}, 30_000);
