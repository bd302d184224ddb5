import { setTimeout as sleep } from "node:timers/promises";
import { settleRow } from "../../src/metering/sql/settlements.ts";
import { mapTokenCounts, STATE } from "../../src/metering/record.ts";
import type { Database } from "../../src/store/database.ts";
import type { Bills } from "./bills.ts";
import { type Clients, toPlainRequest } from "./clients.ts";
import type { SimulatedKey } from "./keys.ts";

/** A key with $0.45 and requests of at least some thousandths of a dollar is used up long before. */
const REQUESTS_MAX = 3_000;
const FALSE_REFUSALS_MAX = 5;

/**
 * Sends single requests, without faults, until the key is refused because its budget is used up.
 * @returns descriptions of refusals with another code. Such a request is repeated.
 */
export async function exhaust(clients: Clients, key: SimulatedKey): Promise<readonly string[]> {
  const falseRefusals: string[] = [];
  for (let requests = 1; requests <= REQUESTS_MAX; requests++) {
    const outcome = await clients.send(key, { change: toPlainRequest });
    if (outcome.code === "budget_exceeded") return falseRefusals;
    if (!clients.isRefused(outcome)) continue;
    falseRefusals.push(`${outcome.request.id} (${key.plan.name}): ${outcome.status} ${outcome.code}`);
    if (falseRefusals.length === FALSE_REFUSALS_MAX) return falseRefusals;
    await sleep(1_000);
  }
  return [`${key.plan.name} is not used up after ${REQUESTS_MAX} requests`];
}

/** Settles the rows whose costs are unknown with what the simulator billed. @returns their number. */
export async function correctUnknown(database: Database, bills: Bills): Promise<number> {
  const rows = await database.kysely
    .selectFrom("requests")
    .select(["id", "session"])
    .where("state", "=", STATE.unknown)
    .execute();
  for (const { id, session } of rows)
    await settleRow(database, id, {
      state: STATE.settled,
      cost_nanodollars: bills.findBilled(session ?? "") ?? 0,
      cost_source: "generation",
      ...mapTokenCounts(() => null),
      is_byok: 0,
      upstream_inference_nanodollars: null,
      provider: null,
      response_model: null,
    });
  return rows.length;
}
