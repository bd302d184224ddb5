import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { CallerKey } from "../../src/auth/caller-key.ts";
import { heartbeat } from "../../src/metering/sql/instances.ts";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import type { OpenDatabase } from "../support/ledger-rows.ts";
import { waitUntil } from "../support/wait.ts";
import { readBudgets } from "./budgets-contract.ts";
import { adoptAllBut } from "./model/other-process.ts";

const KEY = createBudgetKey({ day: { limitNanodollars: 1_000, mode: "hard" } });
const WAIT_MS = 5_000;

/** Sends a request that costs an amount. @returns the cost; undefined if the request was refused. */
async function send(replica: BudgetReplica, key: CallerKey, [worstCase, cost]: readonly [number, number]) {
  try {
    const request = await replica.admit(key, worstCase);
    await request.end({ state: "settled", cost_nanodollars: cost });
    return cost;
  } catch {
    return undefined;
  }
}

/** The races in which other gateways lose money or refuse requests without need, for every database. */
export function racesContract(open: OpenDatabase): void {
  describe("one process", () => {
    test("a cancelled request leaks no reservation (LiteLLM #30522)", async () => {
      const database = await open();
      const replica = new BudgetReplica({ database, instance: "a" });
      for (let index = 0; index < 20; index++) (await replica.admit(KEY, 900)).reservation.cancel();
      const waiting = replica.admit(KEY, 1_000);
      await (await waiting).end({ state: "settled", cost_nanodollars: 0 });
      await replica.budgets.close();
      expect(await readBudgets(database)).toEqual([
        { budget: "key:key_1 day", spent: 0, presumed: 0, leased: 0 },
      ]);
    });

    test("no request is refused while the budget has money for it (LiteLLM #40050)", async () => {
      const database = await open();
      const replica = new BudgetReplica({ database, instance: "a" });
      for (let index = 0; index < 25; index++) expect(await send(replica, KEY, [40, 40])).toBe(40);
      await expect(replica.admit(KEY, 1)).rejects.toMatchObject({ code: "budget_exceeded", status: 402 });
    });

    test("a burst of reservations is not counted as spending (LiteLLM #38647)", async () => {
      const database = await open();
      const replica = new BudgetReplica({ database, instance: "a", waitMs: WAIT_MS });
      const costs = await Promise.all(Array.from({ length: 30 }, () => send(replica, KEY, [400, 15])));
      expect(costs).toEqual(Array(30).fill(15));
    });

    test("a burst that does not fit is refused with budget_reserved, not with budget_exceeded", async () => {
      const database = await open();
      const replica = new BudgetReplica({ database, instance: "a", waitMs: 200 });
      const running = await replica.admit(KEY, 900);
      const refused = await Promise.allSettled([replica.admit(KEY, 200), replica.admit(KEY, 200)]);
      for (const one of refused)
        expect(one).toMatchObject({ reason: { code: "budget_reserved", status: 429 } });
      await running.end({ state: "settled", cost_nanodollars: 1 });
      expect(await send(replica, KEY, [200, 1])).toBe(1);
    });

    test("early aborts are not free (llmgateway GHSA-724j-f2pf-phf7)", async () => {
      const database = await open();
      const replica = new BudgetReplica({ database, instance: "a" });
      for (let index = 0; index < 5; index++) {
        const aborted = await replica.admit(KEY, 200);
        await aborted.end({
          state: "pending",
          outcome: "client_gone",
          generation_id: `gen-${index}`,
          settle_at: 1,
        });
      }
      await expect(replica.admit(KEY, 1)).rejects.toMatchObject({ code: "budget_exceeded" });
    });

    test("a bill above its reservation eats no other reservation (Routstr)", async () => {
      const database = await open();
      const replica = new BudgetReplica({ database, instance: "a" });
      const [first, second] = [await replica.admit(KEY, 400), await replica.admit(KEY, 400)];
      await first.end({ state: "settled", cost_nanodollars: 900 });
      const refused = replica.admit(KEY, 200);
      await expect(refused).rejects.toMatchObject({ code: "budget_exceeded" });
      await second.end({ state: "settled", cost_nanodollars: 400 });
      await replica.budgets.close();
      expect(await readBudgets(database)).toEqual([
        { budget: "key:key_1 day", spent: 1_300, presumed: 0, leased: 0 },
      ]);
    });

    test("a stream of more than five minutes keeps its reservation (Routstr)", async () => {
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
      onTestFinished(() => void vi.useRealTimers());
      const database = await open();
      const replica = new BudgetReplica({ database, instance: "a", waitMs: 200 });
      const stream = await replica.admit(KEY, 900);
      await heartbeat(database, "a");
      await vi.advanceTimersByTimeAsync(600_000);
      await adoptAllBut(database, ["a"], true);
      await expect(replica.admit(KEY, 200)).rejects.toMatchObject({ code: "budget_reserved" });
      await stream.end({ state: "settled", cost_nanodollars: 900 });
      await replica.budgets.close();
      expect(await readBudgets(database)).toEqual([
        { budget: "key:key_1 day", spent: 900, presumed: 0, leased: 0 },
      ]);
    });
  });

  describe("several replicas", () => {
    test("sessions that race on two replicas cannot exceed a budget together (LiteLLM #34732)", async () => {
      const database = await open();
      const replicas = ["a", "b"].map(
        (instance) => new BudgetReplica({ database, instance, replicas: 2, waitMs: 200 }),
      );
      let [inFlight, most] = [0, 0];
      const run = async (index: number): Promise<void> => {
        const request = await replicas[index % 2]?.admit(KEY, 150).catch(() => undefined);
        if (!request) return;
        inFlight += 150;
        most = Math.max(most, inFlight);
        await request.end({ state: "settled", cost_nanodollars: 150 });
      };
      await Promise.all(Array.from({ length: 30 }, (_, index) => run(index)));
      expect(most).toBeLessThanOrEqual(1_000);
      const [budget] = await readBudgets(database);
      expect(budget?.spent).toBe(inFlight);
    });

    test("replicas count in one place (LiteLLM #39390, #39410, #30661, Bifrost #3547)", async () => {
      const database = await open();
      const replicas = ["a", "b", "c", "d"].map(
        (instance) => new BudgetReplica({ database, instance, replicas: 4, waitMs: 100 }),
      );
      let spent = 0;
      for (let index = 0; index < 60; index++)
        spent += (await send(replicas[index % 4] as BudgetReplica, KEY, [30, 30])) ?? 0;
      expect(spent).toBeLessThanOrEqual(1_000);
      const [budget] = await readBudgets(database);
      expect(budget?.spent).toBe(spent);
    });

    test("a replica that restarts finds the same budget (LiteLLM #30684)", async () => {
      const database = await open();
      for (let index = 0; index < 4; index++) {
        const replica = new BudgetReplica({ database, instance: `run-${index}` });
        await waitUntil(async () => (await send(replica, KEY, [250, 250])) === 250, "money of the budget");
        await replica.budgets.close();
      }
      const last = new BudgetReplica({ database, instance: "last" });
      await expect(last.admit(KEY, 1)).rejects.toMatchObject({ code: "budget_exceeded" });
    });
  });
}
