import { expect, onTestFinished, test } from "vitest";
import type { RequestRow } from "../../src/metering/record.ts";
import { type Simulator, startSimulator } from "../../tools/simulator/simulator.ts";
import { type KeyedGateway, startKeyedGateway } from "../support/keyed-gateway.ts";
import { createDrainingKey, readRows } from "../support/metered-gateway.ts";
import { buildModelBody, MODEL_ENDPOINTS, type ModelEndpoint } from "../support/model-bodies.ts";
import { RawClient } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait.ts";
import { formatAnonymousResponse } from "../support/anonymous-responses.ts";

const WAYS = MODEL_ENDPOINTS.flatMap((endpoint) =>
  (endpoint.streams ? [false, true] : [false]).map((stream) => ({
    endpoint,
    stream,
    path: endpoint.path,
    form: stream ? "a stream" : "JSON",
  })),
);

interface Running {
  readonly simulator: Simulator;
  readonly gateway: KeyedGateway;
}

async function start(): Promise<Running> {
  const simulator = await startSimulator({ generationDelayMs: 50 });
  onTestFinished(() => simulator.close());
  return { simulator, gateway: await startKeyedGateway(simulator.baseUrl) };
}

/** Sends a request. @param model selects a behaviour of the simulator, and identifies the request. */
function send(
  { port }: KeyedGateway,
  endpoint: ModelEndpoint,
  { stream, model, secret }: { stream: boolean; model: string; secret: string },
): RawClient {
  const client = new RawClient(port);
  client.post(`/openai/v1/${endpoint.path}`, buildModelBody(endpoint, { stream, model }), {
    authorization: `Bearer ${secret}`,
    "x-session-id": model,
  });
  return client;
}

/** Waits until the ledger has this many final rows. @returns them by session. */
async function waitForRows(gateway: KeyedGateway, count: number): Promise<Map<string | null, RequestRow>> {
  const rows = await waitUntil(async () => {
    const all = await readRows(gateway);
    const final = all.filter(({ state }) => state === "settled" || state === "unknown");
    return final.length === count ? final : undefined;
  }, "all rows to be final");
  return new Map(rows.map((row) => [row.session, row]));
}

/** Returns what the simulator billed for the request of a row. */
function findBilled(simulator: Simulator, row: RequestRow | undefined): number {
  const request = simulator.seen.find(({ headers }) => headers["x-session-id"] === row?.session);
  return simulator.findBilledNanodollars(request?.generationId ?? "") ?? 0;
}

test.each(WAYS)(
  "$path, $form: the row has the billed cost, which the response states or the generation has",
  async (way) => {
    const { simulator, gateway } = await start();
    const sources = {
      "sim/ok": way.stream ? "stream" : "body",
      "sim/ok:idHeader=0": way.stream ? "stream" : "body",
      "sim/ok:cost=0": "generation",
      "sim/ok:cost=0,idHeader=0": "generation",
    };
    for (const model of Object.keys(sources)) {
      const client = send(gateway, way.endpoint, { ...way, model, secret: gateway.caller });
      expect((await client.waitForResponse(model)).status).toBe(200);
    }
    const rows = await waitForRows(gateway, 4);
    for (const [model, source] of Object.entries(sources)) {
      const row = rows.get(model);
      const billed = findBilled(simulator, row);
      expect(billed).toBeGreaterThan(0);
      expect([model, row]).toMatchObject([
        model,
        {
          endpoint: way.path,
          state: "settled",
          cost_source: source,
          cost_nanodollars: billed,
          outcome: "complete",
        },
      ]);
      expect(row?.generation_id).toMatch(/^gen-/);
      expect(row?.prompt_tokens).toBeGreaterThan(0);
    }
    const total = (await gateway.callAdmin("GET", `/usage?by=endpoint&endpoint=${way.path}`)).body;
    expect(total).toMatchObject({
      data: [{ endpoint: way.path, requests: 4 }],
      total: { cost_nanodollars: simulator.readStats().billedNanodollars },
    });
  },
);

test.each(WAYS)(
  "$path, $form: without a cost and a generation id, the cost is unknown, and an error is logged",
  async (way) => {
    const { simulator, gateway } = await start();
    simulator.intercept((exchange) => {
      const type = way.stream ? "text/event-stream" : "application/json";
      exchange.writeHead(200, ["Content-Type", type]);
      exchange.end(formatAnonymousResponse(way.path, way.stream));
    });
    const client = send(gateway, way.endpoint, { ...way, model: "a/b", secret: gateway.caller });
    expect((await client.waitForResponse("the response")).body.toString()).toBe(
      formatAnonymousResponse(way.path, way.stream),
    );
    const row = (await waitForRows(gateway, 1)).get("a/b");
    expect(row).toMatchObject({
      endpoint: way.path,
      state: "unknown",
      outcome: "complete",
      generation_id: null,
      cost_nanodollars: null,
      prompt_tokens: 3,
    });
    const lines = gateway
      .readLog()
      .split("\n")
      .filter((line) => line.includes("cost of a request is unknown"));
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ level: 50, row: row?.id }]);
  },
);

const LEAVING = WAYS.flatMap((way) => (["cancel", "drain"] as const).map((policy) => ({ ...way, policy })));

test.each(LEAVING)("$path, $form: after a disconnect, $policy settles the billed cost", async (way) => {
  const { simulator, gateway } = await start();
  const secret = way.policy === "drain" ? await createDrainingKey(gateway) : gateway.caller;
  const models = ["sim/ok:gapMs=60", "sim/ok:gapMs=60,cost=0", "sim/ok:gapMs=60,idHeader=0"];
  for (const model of models) {
    const client = send(gateway, way.endpoint, { ...way, model, secret });
    await waitUntil(() => client.readResponse()?.body.length, "the beginning of the response");
    client.socket.destroy();
  }
  const rows = await waitForRows(gateway, models.length);
  const { aborted } = simulator.readStats();
  for (const model of models) {
    const row = rows.get(model);
    const statesCost = way.policy === "drain" && !model.includes("cost=0");
    expect([model, row]).toMatchObject([
      model,
      {
        endpoint: way.path,
        state: "settled",
        outcome: "client_gone",
        cost_source: statesCost ? (way.stream ? "stream" : "body") : "generation",
        cost_nanodollars: findBilled(simulator, row),
      },
    ]);
    expect(row?.cost_nanodollars).toBeGreaterThan(0);
  }
  // A drained response is read to its end.
  expect(aborted > 0).toBe(way.policy === "cancel");
});
