import { z } from "zod";
import { groupChangesSchema, newGroupSchema } from "../keys/group-input.ts";
import type { GroupService } from "../keys/group-service.ts";
import { readListedBudgets } from "../metering/sql/budget-status.ts";
import {
  currentBudgetsSchema,
  groupSchema,
  toBudgetStatusJson,
  toGroupJson,
} from "../presentation/limit-json.ts";
import type { Database } from "../store/database.ts";
import { getActor } from "./actor.ts";
import type { AdminScope } from "./admin-scope.ts";
import {
  errorResponseSchemas,
  groupParamSchema,
  includeBudgetsSchema,
  nextAfterSchema,
  pageLimitSchema,
  queryTextSchema,
} from "./api-schemas.ts";

const tags = ["groups"];
const response = { 200: groupSchema, ...errorResponseSchemas };
const listQuery = z.strictObject({
  include_budgets: includeBudgetsSchema,
  limit: pageLimitSchema,
  after: queryTextSchema.describe("`next_after` of the previous page: lists the groups after it"),
});
const listedGroupSchema = groupSchema.extend({ current_budgets: currentBudgetsSchema.optional() });
const listResponse = z
  .object({
    data: z.array(listedGroupSchema).describe("The groups, in the order of their ids"),
    next_after: nextAfterSchema,
  })
  .describe("A page of groups");

/** Registers the routes that create, list, show, change and delete groups of keys. */
export function registerGroupRoutes(scope: AdminScope, groups: GroupService, database: Database): void {
  registerReading(scope, groups, database);
  registerChanges(scope, groups);
}

function registerReading(scope: AdminScope, groups: GroupService, database: Database): void {
  scope.get(
    "/groups",
    {
      schema: {
        tags,
        summary: "List groups of keys",
        querystring: listQuery,
        response: { 200: listResponse, ...errorResponseSchemas },
      },
    },
    async ({ query: { include_budgets: includeBudgets, ...filter } }) => {
      const { entries, nextAfter } = await groups.listPage(filter);
      const budgets = includeBudgets
        ? await readListedBudgets(database, "group", entries, Date.now())
        : undefined;
      return {
        data: entries.map((group, index) => ({
          ...toGroupJson(group),
          current_budgets: budgets?.[index]?.map(toBudgetStatusJson),
        })),
        next_after: nextAfter,
      };
    },
  );
  scope.get(
    "/groups/:group",
    { schema: { tags, summary: "Show a group", params: groupParamSchema, response } },
    async ({ params }) => toGroupJson(await groups.get(params.group)),
  );
}

function registerChanges(scope: AdminScope, groups: GroupService): void {
  scope.post(
    "/groups",
    {
      schema: {
        tags,
        summary: "Create a group of keys",
        body: newGroupSchema,
        response: { 201: groupSchema, ...errorResponseSchemas },
      },
    },
    async (request, reply) =>
      reply.code(201).send(toGroupJson(await groups.create(request.body, getActor(request)))),
  );
  scope.patch(
    "/groups/:group",
    {
      schema: {
        tags,
        summary: "Change a group",
        params: groupParamSchema,
        body: groupChangesSchema,
        response,
      },
    },
    async (request) =>
      toGroupJson(await groups.update(request.params.group, request.body, getActor(request))),
  );
  scope.delete(
    "/groups/:group",
    { schema: { tags, summary: "Delete a group without keys", params: groupParamSchema, response } },
    async (request) => toGroupJson(await groups.delete(request.params.group, getActor(request))),
  );
}
