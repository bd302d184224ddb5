import { expect, test } from "vitest";
import { startBilledSimulator } from "../support/billed-simulator.ts";
import { createBudgetedKey } from "../support/budgeted-key.ts";
import { startKeyedGateway } from "../support/keyed-gateway.ts";
import { createRandom } from "../support/random.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestSimulator } from "../support/simulator.ts";
import { waitUntil } from "../support/wait.ts";

const LIMIT_USD = 0.03;
const LIMIT = 30_000_000;
const REQUESTS = 300;
const AT_ONCE = 60;
/** A completion of nearly 2,000 tokens, so that a bill is nearly as high as its reservation. */
const SLOW = "ok:events=6,padBytes=1280,gapMs=3,delayMs=10";
const BODY = {
  model: "openai/gpt-4o-mini",
  messages: [{ role: "user", content: "Hello" }],
  max_tokens: 2_000,
};

/** Points of a response at which a client leaves. */
const LEAVES = ["before the head", "at the head", "in the middle", "never"] as const;

async function leave(client: RawClient, point: (typeof LEAVES)[number]): Promise<number | undefined> {
  const isOver = (): boolean => client.isClosed || (client.readResponse()?.complete ?? false);
  const waits = {
    "before the head": () => client.socket.bytesWritten > 0,
    "at the head": () => client.readResponse() !== undefined,
    "in the middle": () => (client.readResponse()?.body.length ?? 0) > 1_500,
    never: () => false,
  };
  await waitUntil(() => waits[point]() || isOver(), `a client that leaves ${point}`);
  client.socket.destroy();
  return client.readResponse()?.status;
}

test.each(["cancel", "drain"])(
  "clients that leave early cannot exceed a budget (on_disconnect: %s)",
  async (onDisconnect) => {
    const upstream = await startBilledSimulator();
    const gateway = await startKeyedGateway(upstream.simulator.baseUrl, { BUDGET_WAIT_MS: "100" });
    const key = await createBudgetedKey(gateway, LIMIT_USD, { on_disconnect: onDisconnect });
    const random = createRandom(7);
    const statuses: (number | undefined)[] = [];
    const attack = async (index: number): Promise<void> => {
      const client = new RawClient(gateway.port);
      const headers = { authorization: `Bearer ${key.secret}`, "x-session-id": SLOW };
      client.post(
        "/openai/v1/chat/completions",
        JSON.stringify({ ...BODY, stream: random() < 0.5 }),
        headers,
      );
      statuses.push(await leave(client, LEAVES[index % LEAVES.length] ?? "never"));
    };
    for (let from = 0; from < REQUESTS; from += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, async (_, index) => attack(from + index)));
    await waitUntil(() => upstream.simulator.readStats().active === 0, "all generations to end");
    expect(upstream.highest).toBeLessThanOrEqual(LIMIT);
    expect((await key.waitUntilSettled()).spent).toBe(upstream.billed);
    // Most of the budget was used, so the limit was tested.
    expect(upstream.highest).toBeGreaterThan(LIMIT / 2);
    const refused = new Set(statuses.filter((status) => status !== 200 && status !== undefined));
    expect([...refused].every((status) => status === 402 || status === 429)).toBe(true);
  },
);

test("costs that stay unknown are presumed at their worst case, and exhaust the budget", async () => {
  let requests = 0;
  const simulator = await startTestSimulator();
  simulator.intercept((exchange) => {
    requests++;
    exchange.breakConnection((socket) => socket.destroySoon());
  });
  const gateway = await startKeyedGateway(simulator.baseUrl, { BUDGET_WAIT_MS: "100" });
  const key = await createBudgetedKey(gateway, LIMIT_USD);
  const send = async () =>
    gateway.call(key.secret, { path: "/openai/v1/chat/completions", body: JSON.stringify(BODY) });
  // A cost is presumed when the row of its request is written. Until then, the request counts as one in flight.
  const response = await waitUntil(async () => {
    const { status, body } = await send();
    expect([502, 429, 402]).toContain(status);
    return status === 402 ? { body } : undefined;
  }, "the budget to be exhausted");
  const { error } = JSON.parse(response.body.toString());
  expect(error.code).toBe("budget_exceeded");
  const budget = await key.readBudget();
  expect(budget.spent).toBe(0);
  // Upstream can have billed each request at its worst case, of which at least 1.2 million nanodollars are for its completion.
  expect(requests).toBeGreaterThan(10);
  expect(budget.presumed).toBeGreaterThan(requests * 1_200_000);
  expect(budget.presumed + budget.reserved).toBeLessThanOrEqual(LIMIT);
});
