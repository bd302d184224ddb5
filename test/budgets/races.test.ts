import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { BudgetAdmission } from "../../src/budgets/budget-admission.ts";
import { admitRequest, type AdmissionOptions, type ValidRequest } from "../../src/endpoints/admit-request.ts";
import type { WorstCase } from "../../src/pricing/worst-case.ts";
import type { CallerKey } from "../../src/auth/caller-key.ts";
import { BudgetReplica, createBudgetKey } from "../support/budget-replica.ts";
import { openTestDatabase } from "../support/test-database.ts";
import { racesContract } from "./races-contract.ts";

racesContract(openTestDatabase);

const BUDGETS = { day: { limitNanodollars: 1_000, mode: "hard" } } as const;
const UNBOUNDED = {
  nanodollars: null,
  boundedNanodollars: 0,
  unbounded: [{ note: "The price of `openrouter/auto` is not known.", param: "model" }],
} as unknown as WorstCase;

/** Admits a request whose cost has no upper bound. */
function admitUnbounded(budgets: BudgetAdmission, key: CallerKey): ReturnType<typeof admitRequest> {
  const request = { caller: { key }, context: {} } as unknown as FastifyRequest;
  const worstCases = { findWorstCase: () => UNBOUNDED };
  const options = { account: undefined, budgets, worstCases } as unknown as AdmissionOptions;
  return admitRequest(
    request,
    {} as FastifyReply,
    { forwardedModel: "openrouter/auto" } as ValidRequest,
    options,
  );
}

test("a request whose cost cannot be estimated is refused (LiteLLM #35524)", async () => {
  const { budgets } = new BudgetReplica({ database: await openTestDatabase(), instance: "a" });
  expect(() => admitUnbounded(budgets, createBudgetKey(BUDGETS))).toThrow(
    expect.objectContaining({ code: "unbounded_cost", param: "model" }) as Error,
  );
});

test("a request whose cost cannot be estimated holds the amount that its key names (LiteLLM #35524)", async () => {
  const { budgets } = new BudgetReplica({ database: await openTestDatabase(), instance: "a" });
  const key = createBudgetKey(BUDGETS, { unboundedReservationNanodollars: 700 });
  const reservation = await admitUnbounded(budgets, key);
  expect(reservation?.nanodollars).toBe(700);
  await expect(admitUnbounded(budgets, key)).rejects.toMatchObject({ code: "budget_reserved" });
});

test("no code of budgets uses Redis, which may be stale or empty after a restart (LiteLLM #30684)", () => {
  const files = globSync("src/{budgets,metering}/**/*.ts");
  expect(files.length).toBeGreaterThan(20);
  expect(files.filter((file) => /from ".*redis.*"/.test(readFileSync(file, "utf8")))).toEqual([]);
});
