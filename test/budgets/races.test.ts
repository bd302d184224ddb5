import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { reserveBudget, type CostBound } from "../../src/endpoints/reserve-budget.ts";
import type { CallerKey } from "../../src/auth/caller-key.ts";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { racesContract } from "./races-contract.ts";

racesContract(openTestDatabase);

const BUDGETS = { day: { limitNanodollars: 1_000, mode: "hard" } } as const;
const UNBOUNDED: CostBound = {
  nanodollars: null,
  unbounded: [{ note: "The price of `openrouter/auto` is not known.", param: "model" }],
};

test("a request whose cost cannot be estimated is refused (LiteLLM #35524)", async () => {
  const database = await openTestDatabase();
  const { budgets } = new BudgetReplica({ database, instance: "a" });
  const reserve = (key: CallerKey) =>
    reserveBudget(budgets, { key, endUser: undefined, findWorstCase: () => UNBOUNDED });
  expect(() => reserve(createBudgetKey(BUDGETS))).toThrow(
    expect.objectContaining({ code: "unbounded_cost", param: "model" }) as Error,
  );
});

test("a request whose cost cannot be estimated holds the amount that its key names (LiteLLM #35524)", async () => {
  const database = await openTestDatabase();
  const { budgets } = new BudgetReplica({ database, instance: "a" });
  const key = createBudgetKey(BUDGETS, { unboundedReservationNanodollars: 700 });
  const request = { key, endUser: undefined, findWorstCase: () => UNBOUNDED };
  const reservation = await reserveBudget(budgets, request);
  expect(reservation?.nanodollars).toBe(700);
  await expect(reserveBudget(budgets, request)).rejects.toMatchObject({ code: "budget_reserved" });
});

test("no code of budgets uses Redis, which may be stale or empty after a restart (LiteLLM #30684)", () => {
  const files = globSync("src/{budgets,metering}/**/*.ts");
  expect(files.length).toBeGreaterThan(20);
  expect(files.filter((file) => /from ".*redis.*"/.test(readFileSync(file, "utf8")))).toEqual([]);
});
