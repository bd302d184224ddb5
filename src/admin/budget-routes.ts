import { z } from "zod";
import type { BudgetStatus } from "../budgets/sql/read-budgets.ts";
import type { KeyService } from "../keys/key-service.ts";
import { readGroupBudgets, readKeyBudgets } from "../metering/sql/budget-status.ts";
import { budgetStatusSchema, toBudgetStatusJson } from "../presentation/limit-json.ts";
import type { Database } from "../store/database.ts";
import type { AdminScope } from "./admin-scope.ts";
import { errorResponseSchemas, groupParamSchema, keyParamSchema } from "./api-schemas.ts";

const budgetsResponse = z
  .object({ data: z.array(budgetStatusSchema).describe("One entry per budget") })
  .describe("The current period of each budget");
const response = { 200: budgetsResponse, ...errorResponseSchemas };

const toJson = (budgets: readonly BudgetStatus[]): z.output<typeof budgetsResponse> => ({
  data: budgets.map(toBudgetStatusJson),
});

/** Registers the routes that show how much of the budgets of a key or a group is spent. */
export function registerBudgetRoutes(scope: AdminScope, keys: KeyService, database: Database): void {
  scope.get(
    "/keys/:key/budgets",
    {
      schema: { tags: ["keys"], summary: "Show the budgets of a key", params: keyParamSchema, response },
    },
    async ({ params }) => toJson(await readKeyBudgets(database, await keys.get(params.key), Date.now())),
  );
  scope.get(
    "/groups/:group/budgets",
    {
      schema: {
        tags: ["groups"],
        summary: "Show the budgets of a group",
        params: groupParamSchema,
        response,
      },
    },
    async ({ params }) =>
      toJson(await readGroupBudgets(database, await keys.groups.get(params.group), Date.now())),
  );
}
