import { z } from "zod";
import { groupChangesSchema, newGroupSchema } from "../keys/group-input.ts";
import type { GroupService } from "../keys/group-service.ts";
import { groupSchema, toGroupJson } from "../presentation/limit-json.ts";
import { getActor } from "./actor.ts";
import type { AdminScope } from "./admin-scope.ts";
import { errorResponseSchemas, groupParamSchema, pageLimitSchema, queryTextSchema } from "./api-schemas.ts";

const tags = ["groups"];
const response = { 200: groupSchema, ...errorResponseSchemas };
const listQuery = z.strictObject({
  limit: pageLimitSchema,
  after: queryTextSchema.describe("Id of the last group of the previous page"),
});
const listResponse = z
  .object({ data: z.array(groupSchema).describe("The groups, in the order of their ids") })
  .describe("A page of groups");

/** Registers the routes that create, list, show, change and delete groups of keys. */
export function registerGroupRoutes(scope: AdminScope, groups: GroupService): void {
  registerReading(scope, groups);
  registerChanges(scope, groups);
}

function registerReading(scope: AdminScope, groups: GroupService): void {
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
    async ({ query }) => ({ data: (await groups.list(query)).map(toGroupJson) }),
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
