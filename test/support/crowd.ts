import { expect } from "vitest";
import { type BilledSimulator, startBilledSimulator } from "./billed-simulator.ts";
import { type KeyedGateway, startKeyedGateway } from "./keyed-gateway.ts";
import { RawClient } from "./raw-client.ts";
import { waitUntil } from "./wait.ts";

/** A budget for about 20 requests of a crowd at their worst case. */
export const LIMIT_USD = 0.028;
const LIMIT_NANODOLLARS = 28_000_000;
/** A completion of nearly 2,000 tokens, so that a bill is nearly as high as its reservation. */
export const BEHAVIOUR = "ok:events=6,padBytes=1280,delayMs=5";
export const PATH = "/openai/v1/chat/completions";

/** A request of a crowd, with the differences from the others. */
export interface CrowdRequest {
  readonly secret: string;
  readonly fields?: object;
  readonly headers?: Record<string, string>;
}

/** A gateway in front of a simulator with its own books, and a crowd of clients. */
export interface Crowd {
  readonly upstream: BilledSimulator;
  readonly gateway: KeyedGateway;
  /** Sends requests at once, each over its own connection. @returns how many responses have each status. */
  readonly send: (requests: readonly CrowdRequest[]) => Promise<ReadonlyMap<number, number>>;
}

/** Builds the body of a request whose completion has up to 2,000 tokens. */
export const buildCrowdBody = (fields: object = {}): string =>
  JSON.stringify({
    model: "openai/gpt-4o-mini",
    messages: [{ role: "user", content: "Hello" }],
    max_tokens: 2_000,
    ...fields,
  });

/** Starts a gateway and its simulator. They stop when the test ends. */
export async function startCrowd(): Promise<Crowd> {
  const upstream = await startBilledSimulator();
  const gateway = await startKeyedGateway(upstream.simulator.baseUrl, { BUDGET_WAIT_MS: "200" });
  const send: Crowd["send"] = async (requests) => {
    const clients = requests.map(({ secret, fields, headers }) => {
      const client = new RawClient(gateway.port);
      client.post(PATH, buildCrowdBody(fields), {
        authorization: `Bearer ${secret}`,
        "x-session-id": BEHAVIOUR,
        connection: "close",
        ...headers,
      });
      return client;
    });
    await waitUntil(() => clients.every(({ isClosed }) => isClosed), "all responses", 25_000);
    return countStatuses(clients.map((client) => client.readResponse()?.status ?? 0));
  };
  return { upstream, gateway, send };
}

/** Counts the responses with each status. */
export function countStatuses(statuses: readonly number[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}

/** Expects that the bills are within the limit, and that the budget was used and refused requests. */
export function expectWithinLimit({ upstream }: Crowd, statuses: ReadonlyMap<number, number>): void {
  expect(upstream.highest).toBeLessThanOrEqual(LIMIT_NANODOLLARS);
  expect(upstream.highest).toBeGreaterThan(LIMIT_NANODOLLARS / 2);
  expect([...statuses.keys()].filter((status) => ![200, 402, 429].includes(status))).toEqual([]);
  expect(upstream.simulator.readStats().completed).toBeGreaterThanOrEqual(statuses.get(200) ?? 0);
}

/** Waits until all bills are in budgets. @param read returns the sum of what is spent of them, in nanodollars. */
export async function waitUntilBooked({ upstream }: Crowd, read: () => Promise<number>): Promise<void> {
  await waitUntil(async () => (await read()) === upstream.billed, "the budgets to contain all bills");
}
