import { expect, test } from "vitest";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import type { OpenDatabase } from "../support/ledger-rows.ts";
import { readBudgets } from "./budgets-contract.ts";
import { adoptAllBut, lookUpCosts } from "./model/other-process.ts";
import { Reference } from "./model/reference.ts";

const KEY = createBudgetKey({ day: { limitNanodollars: 1_000, mode: "hard" } });

/** Tests of processes that another process took for dead, for every database. */
export function mistakenExpiryContract(open: OpenDatabase): void {
  test("a live process whose lease has expired is not refused for its own lease", async () => {
    const database = await open();
    const replica = new BudgetReplica({ database, instance: "a" });
    const running = await replica.admit(KEY, 800);
    await adoptAllBut(database, [], false);
    await expect(replica.admit(KEY, 500)).rejects.toMatchObject({ code: "budget_reserved" });
    const waiting = replica.admit(KEY, 900);
    await running.end({ state: "settled", cost_nanodollars: 100 });
    await (await waiting).end({ state: "settled", cost_nanodollars: 900 });
  });

  test("a live process keeps what it believes to hold when others settle its request", async () => {
    const database = await open();
    const reference = new Reference();
    const replica = new BudgetReplica({ database, instance: "a" });
    const running = await replica.admit(KEY, 800);
    await running.write({ generation_id: "gen-1" });
    await adoptAllBut(database, [], false);
    const request = {
      id: "r-a-0",
      instance: "a",
      budgets: [],
      worstCase: 800,
      isBillKnown: false,
      isAdopted: true,
    };
    reference.requests.set(request.id, { ...request, billed: 100 });
    await lookUpCosts(database, reference, 1);
    const other = new BudgetReplica({ database, instance: "b" });
    await expect(other.admit(KEY, 800)).rejects.toMatchObject({ code: "budget_exceeded" });
    await running.end({ state: "settled", cost_nanodollars: 100, generation_id: "gen-1" });
    const next = await replica.admit(KEY, 700);
    await expect(other.admit(KEY, 300)).rejects.toMatchObject({
      code: expect.stringMatching(/^budget_/) as string,
    });
    await next.end({ state: "settled", cost_nanodollars: 700 });
    await replica.budgets.close();
    expect(await readBudgets(database)).toEqual([
      { budget: "key:key_1 day", spent: 800, presumed: 0, leased: 0 },
    ]);
  });
}
