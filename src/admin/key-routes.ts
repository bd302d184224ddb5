import { z } from "zod";
import { VISITED_MAX } from "../keys/key-pages.ts";
import type { KeyService } from "../keys/key-service.ts";
import { readListedBudgets } from "../metering/sql/budget-status.ts";
import { issuedKeySchema, keySchema, toIssuedKeyJson, toKeyJson } from "../presentation/key-json.ts";
import { currentBudgetsSchema, toBudgetStatusJson } from "../presentation/limit-json.ts";
import type { Database } from "../store/database.ts";
import { getActor } from "./actor.ts";
import type { AdminScope } from "./admin-scope.ts";
import {
  errorResponseSchemas,
  flagSchema,
  includeBudgetsSchema,
  keyChangesBodySchema,
  keyParamSchema,
  newKeyBodySchema,
  nextAfterSchema,
  pageLimitSchema,
  queryTextSchema,
  rotationBodySchema,
} from "./api-schemas.ts";

const tags = ["keys"];
const keyResponse = { 200: keySchema, ...errorResponseSchemas };
const listQuery = z.strictObject({
  owner: queryTextSchema,
  group: queryTextSchema.describe("Id or name of a group"),
  search: queryTextSchema.describe(
    "Part of the name, owner, id, or prefix of the secret. The case of the letters A to Z is ignored",
  ),
  model: queryTextSchema.describe(
    `Model id: lists the callers' keys that may use it. A page compares at most ${VISITED_MAX} keys, so it can have fewer keys than limit and a next page`,
  ),
  include_revoked: flagSchema.describe("true: with revoked keys"),
  include_budgets: includeBudgetsSchema,
  limit: pageLimitSchema,
  after: queryTextSchema.describe("`next_after` of the previous page: lists the keys after it"),
});

/** Registers the routes that create, list, show, change, rotate and revoke keys. */
export function registerKeyRoutes(scope: AdminScope, keys: KeyService, database: Database): void {
  registerReading(scope, keys, database);
  registerChanges(scope, keys);
  registerSecrets(scope, keys);
}

const listedKeySchema = keySchema.extend({ current_budgets: currentBudgetsSchema.optional() });
const listResponse = z
  .object({ data: z.array(listedKeySchema), next_after: nextAfterSchema })
  .describe("A page of keys");

function registerReading(scope: AdminScope, keys: KeyService, database: Database): void {
  scope.get(
    "/keys",
    {
      schema: {
        tags,
        summary: "List keys",
        querystring: listQuery,
        response: { 200: listResponse, ...errorResponseSchemas },
      },
    },
    async ({ query }) => {
      const { include_revoked: includeRevoked, include_budgets: includeBudgets, group, ...filter } = query;
      const groupId = group === undefined ? undefined : (await keys.groups.get(group)).id;
      const { entries, nextAfter } = await keys.listPage({ ...filter, groupId, includeRevoked });
      const budgets = includeBudgets
        ? await readListedBudgets(database, "key", entries, Date.now())
        : undefined;
      return {
        data: entries.map((key, index) => ({
          ...toKeyJson(key),
          current_budgets: budgets?.[index]?.map(toBudgetStatusJson),
        })),
        next_after: nextAfter,
      };
    },
  );
  scope.get(
    "/keys/:key",
    { schema: { tags, summary: "Show a key", params: keyParamSchema, response: keyResponse } },
    async (request) => toKeyJson(await keys.get(request.params.key)),
  );
}

function registerChanges(scope: AdminScope, keys: KeyService): void {
  scope.patch(
    "/keys/:key",
    {
      schema: {
        tags,
        summary: "Change a key",
        params: keyParamSchema,
        body: keyChangesBodySchema,
        response: keyResponse,
      },
    },
    async (request) => toKeyJson(await keys.update(request.params.key, request.body, getActor(request))),
  );
  scope.delete(
    "/keys/:key",
    { schema: { tags, summary: "Revoke a key permanently", params: keyParamSchema, response: keyResponse } },
    async (request) => toKeyJson(await keys.revoke(request.params.key, getActor(request))),
  );
}

/** Registers the routes whose responses contain a secret and therefore must not be cached. */
function registerSecrets(scope: AdminScope, keys: KeyService): void {
  scope.post(
    "/keys",
    {
      schema: {
        tags,
        summary: "Create a key",
        body: newKeyBodySchema,
        response: { 201: issuedKeySchema, ...errorResponseSchemas },
      },
    },
    async (request, reply) => {
      const issued = await keys.create(request.body, getActor(request));
      return reply.code(201).header("cache-control", "no-store").send(toIssuedKeyJson(issued));
    },
  );
  scope.post(
    "/keys/:key/rotate",
    {
      schema: {
        tags,
        summary: "Replace the secret of a key; the old secret stays valid for grace_ms",
        params: keyParamSchema,
        body: rotationBodySchema,
        response: { 200: issuedKeySchema, ...errorResponseSchemas },
      },
    },
    async (request, reply) => {
      const issued = await keys.rotate(request.params.key, request.body, getActor(request));
      return reply.header("cache-control", "no-store").send(toIssuedKeyJson(issued));
    },
  );
}
