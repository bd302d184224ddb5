import { z } from "zod";
import { listAlerts } from "../alerts/sql/list-alerts.ts";
import type { Database } from "../store/database.ts";
import type { AdminScope } from "./admin-scope.ts";
import { alertsSchema, toAlertJson } from "./alert-json.ts";
import { errorResponseSchemas, pageLimitSchema, queryTextSchema } from "./api-schemas.ts";

const alertsQuery = z.strictObject({
  limit: pageLimitSchema.describe("Alerts per page"),
  before: queryTextSchema.describe("`next_before` of the previous page"),
});

/** Registers `GET /admin/v1/alerts`, which lists the stored alerts and what became of their deliveries. */
export function registerAlertRoutes(scope: AdminScope, database: Database): void {
  scope.get(
    "/alerts",
    {
      schema: {
        tags: ["health"],
        summary: "List alerts of the last 30 days and their deliveries, newest first",
        querystring: alertsQuery,
        response: { 200: alertsSchema, ...errorResponseSchemas },
      },
    },
    async ({ query: { limit, before } }) => {
      // One more than the page proves that another page follows.
      const alerts = await listAlerts(database, { limit: limit + 1, before });
      const page = alerts.slice(0, limit);
      const next_before = alerts.length > limit ? (page.at(-1)?.id ?? null) : null;
      return { data: page.map(toAlertJson), next_before };
    },
  );
}
