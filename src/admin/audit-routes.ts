import { z } from "zod";
import type { KeyService } from "../keys/key-service.ts";
import { auditEntrySchema, toAuditEntryJson } from "../presentation/key-json.ts";
import type { AdminScope } from "./admin-scope.ts";
import { errorResponseSchemas, keyQuerySchema, pageLimitSchema, queryTextSchema } from "./api-schemas.ts";

const auditQuery = z.strictObject({
  key: keyQuerySchema,
  limit: pageLimitSchema,
  before: queryTextSchema.describe("Id of the last entry of the previous page"),
});
const auditResponse = z
  .object({ data: z.array(auditEntrySchema).describe("The changes, newest first") })
  .describe("A page of changes");

/** Registers `GET /admin/v1/audit`, which lists the changes of keys. */
export function registerAuditRoutes(scope: AdminScope, keys: KeyService): void {
  scope.get(
    "/audit",
    {
      schema: {
        tags: ["keys"],
        summary: "List changes of keys with their author, time and source, newest first",
        querystring: auditQuery,
        response: { 200: auditResponse, ...errorResponseSchemas },
      },
    },
    async ({ query }) => {
      const { key, ...filter } = query;
      const keyId = await keys.resolveId(key);
      return { data: (await keys.listAudit({ ...filter, keyId })).map(toAuditEntryJson) };
    },
  );
}
