import { expect, onTestFinished, test } from "vitest";
import { formatUsd } from "../../src/money.ts";
import { startSimulator } from "../../tools/simulator/simulator.ts";
import { buildChatBody } from "../support/chat-request.ts";
import { ACCOUNT_KEY } from "../support/gateway.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { sendStream } from "../support/metered-gateway.ts";
import { runCommand } from "../support/run-command.ts";
import { sendRequest } from "../support/send-request.ts";
import { waitUntil } from "../support/wait.ts";

const TEAM = "sk-team-0123456789abcdef0123456789";
const MODELS = [
  "openai/gpt-4o-mini",
  "sim/error:status=429",
  "sim/cut:after=3",
  "sim/reset:head=0",
  // OpenRouter has the record of this generation only after the gateway has given it up.
  "sim/ok:cost=0,recordMs=4000",
];

interface Row {
  readonly key_id: string;
  readonly generation_id: string | null;
  readonly state: string;
  readonly outcome: string | null;
  readonly status: number;
  readonly prompt_tokens: number | null;
  readonly cost_usd: string | null;
}

/** Counts rows of the export as a reader of the documentation would. */
function sumRows(rows: readonly Row[]) {
  const count = (isCounted: (row: Row) => boolean): number => rows.filter(isCounted).length;
  const isCancelled = ({ outcome }: Row): boolean => outcome === "client_gone";
  const isGood = ({ outcome, status }: Row): boolean => outcome === "complete" && status < 400;
  const costs = rows.map((row) => Math.round(Number(row.cost_usd ?? 0) * 1e9));
  return {
    requests: rows.length,
    unknown_requests: count(({ state }) => state === "unknown"),
    failed_requests: count((row) => !isGood(row) && !isCancelled(row)),
    cancelled_requests: count(isCancelled),
    prompt_tokens: rows.reduce((sum, row) => sum + (row.prompt_tokens ?? 0), 0),
    cost_usd: formatUsd(costs.reduce((sum, cost) => sum + cost, 0)),
  };
}

async function start() {
  const simulator = await startSimulator({ generationDelayMs: 20 });
  onTestFinished(() => simulator.close());
  const first = await startKeyedGateway(simulator.baseUrl);
  await first.stop();
  const { port } = await startKeyedGateway(simulator.baseUrl, {
    DATA_DIR: first.dataDir,
    GATEWAY_API_KEYS: `team:${TEAM}`,
    ALLOW_ANONYMOUS: "true",
    SETTLE_GIVE_UP_MS: "200",
  });
  const headers = { authorization: `Bearer ${first.admin}` };
  const read = async (path: string) => {
    const response = await sendRequest(port, { method: "GET", path: `/admin/v1${path}`, headers, body: "" });
    return JSON.parse(response.body.toString());
  };
  const environment = {
    DATA_DIR: first.dataDir,
    OPENROUTER_API_KEY: ACCOUNT_KEY,
    OPENROUTER_BASE_URL: simulator.baseUrl,
  };
  return { simulator, port, caller: first.caller, read, environment };
}

type Gateway = Awaited<ReturnType<typeof start>>;

/** Sends each model with a stored key, with a key of the environment, and without a key; one more stream is cancelled. */
async function sendTraffic({ port, caller }: Gateway): Promise<void> {
  for (const secret of [caller, TEAM, undefined])
    for (const model of MODELS) {
      const headers = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
      const body = buildChatBody({ model, stream: true });
      await sendRequest(port, { headers, body }).catch(() => {});
    }
  const client = sendStream(port, caller, { model: "sim/ok:gapMs=50,events=100" });
  await waitUntil(() => client.received.includes("data:"), "the first event of the stream");
  client.socket.destroy();
}

/** Compares the reports with the rows once all rows are final. */
async function compare({ read }: Gateway, unknown: number): Promise<void> {
  const rows = await waitUntil(async () => {
    const { data } = (await read("/requests")) as { data: Row[] };
    const isFinal = data.every(({ state }) => state === "settled" || state === "unknown");
    return isFinal && data.length === 3 * MODELS.length + 1 ? data : undefined;
  }, "16 final rows");
  const all = sumRows(rows);
  expect(all).toMatchObject({ unknown_requests: unknown, failed_requests: 9, cancelled_requests: 1 });
  const byKey = [...Map.groupBy(rows, ({ key_id }) => key_id)].map(
    ([id, own]) => [id, sumRows(own)] as const,
  );
  const reports = ["/timeseries?step=minute&", "/timeseries?step=hour&", "/timeseries?step=day&", "/usage?"];
  for (const path of reports) {
    const report = await waitUntil(async () => {
      const body = await read(`${path}by=key`);
      return body.total.unknown_requests === unknown && body;
    }, `a report of ${path} after its result is no longer shared`);
    expect([path, report.total]).toMatchObject([path, all]);
    const lines = report.data.map((line: { key_id: string; total?: object }) => [
      line.key_id,
      line.total ?? line,
    ]);
    expect(Object.fromEntries(lines)).toMatchObject(Object.fromEntries(byKey));
  }
  const { data: keys } = await read("/keys?include_spend=true");
  const costs = new Map(byKey.map(([id, sums]) => [id, sums.cost_usd]));
  for (const { id, month_cost_usd: cost } of keys) expect(cost).toBe(costs.get(id) ?? formatUsd(0));
  const failures = (await read("/failures")).data.map(({ requests }: { requests: number }) => requests);
  expect(failures).toEqual([3, 3, 3]);
}

/** Waits until OpenRouter has the records of all unknown rows that have a generation id. */
async function waitForRecords({ simulator, read }: Gateway): Promise<void> {
  const { data } = (await read("/requests?state=unknown")) as { data: Row[] };
  const headers = { authorization: `Bearer ${ACCOUNT_KEY}` };
  for (const { generation_id: id } of data)
    if (id !== null)
      await waitUntil(
        async () => (await fetch(`${simulator.baseUrl}/generation?id=${id}`, { headers })).ok,
        `the record of ${id}`,
        20_000,
      );
}

test("reports equal the rows of the ledger, before and after unknown costs are corrected", async () => {
  const gateway = await start();
  await sendTraffic(gateway);
  // Requests without a response head stay unknown, because they have no generation id.
  await compare(gateway, 6);
  await waitForRecords(gateway);
  await runCommand(gateway.environment, ["reconcile", "--json"]);
  await compare(gateway, 3);
  const { total } = await gateway.read("/usage");
  expect(total.cost_nanodollars).toBe(gateway.simulator.readStats().billedNanodollars);
}, 60_000);
