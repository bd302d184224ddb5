import { expect, test } from "vitest";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import type { OpenDatabase } from "../support/ledger-rows.ts";
import { adoptAllBut } from "./model/other-process.ts";

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
}
