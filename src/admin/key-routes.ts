import { z } from "zod";
import { findPeriod } from "../budgets/periods.ts";
import { VISITED_MAX } from "../keys/key-pages.ts";
import type { KeyService } from "../keys/key-service.ts";
import type { ManagedKey } from "../keys/managed-key.ts";
import { readListedBudgets } from "../metering/sql/budget-status.ts";
import { sumCostsOfKeys } from "../metering/sql/key-spend.ts";
import { formatUsd } from "../money.ts";
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
  owner: queryTextSchema.describe("Only keys of this owner"),
  group: queryTextSchema.describe("Only keys of this group, by its id or name"),
  search: queryTextSchema.describe(
    "Part of the name, owner, id, or prefix of the secret. The case of the letters A to Z is ignored",
  ),
  model: queryTextSchema.describe(
    `Model id: lists the callers' keys that may use it. A page compares at most ${VISITED_MAX} keys, so it can have fewer keys than limit and a next page`,
  ),
  include_revoked: flagSchema.describe("Whether the list contains revoked keys"),
  include_budgets: includeBudgetsSchema,
  include_spend: flagSchema.describe("true: each entry has month_cost_usd"),
  limit: pageLimitSchema,
  after: queryTextSchema.describe("`next_after` of the previous page: lists the keys after it"),
});

/** Registers the routes that create, list, show, change, rotate and revoke keys. */
export function registerKeyRoutes(scope: AdminScope, keys: KeyService, database: Database): void {
  registerReading(scope, keys, database);
  registerChanges(scope, keys);
  registerSecrets(scope, keys);
}

const listedKeySchema = keySchema.extend({
  current_budgets: currentBudgetsSchema.optional(),
  month_cost_usd: z
    .string()
    .optional()
    .describe(
      "Cost of the settled requests of the current UTC month, in exact decimal US dollars, if the query has include_spend=true",
    ),
});
const listResponse = z
  .object({
    data: z.array(listedKeySchema).describe("The keys, in the order of their ids"),
    next_after: nextAfterSchema,
  })
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
      const {
        include_revoked: includeRevoked,
        include_budgets: includeBudgets,
        include_spend: includeSpend,
        group,
        ...filter
      } = query;
      const groupId = group === undefined ? undefined : (await keys.groups.get(group)).id;
      const { entries, nextAfter } = await keys.listPage({ ...filter, groupId, includeRevoked });
      const now = Date.now();
      const budgets = includeBudgets ? await readListedBudgets(database, "key", entries, now) : undefined;
      const costs = includeSpend ? await readMonthCosts(database, entries, now) : undefined;
      return {
        data: entries.map((key, index) => ({
          ...toKeyJson(key),
          current_budgets: budgets?.[index]?.map(toBudgetStatusJson),
          month_cost_usd: costs && formatUsd(costs.get(key.id) ?? 0),
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

/** Reads what the requests of keys have cost in the current UTC month, in nanodollars by key id. */
async function readMonthCosts(
  database: Database,
  entries: readonly ManagedKey[],
  now: number,
): Promise<Map<string | null, number>> {
  const ids = entries.map(({ id }) => id);
  const sums = await sumCostsOfKeys(database, ids, findPeriod("month", now).startsAt);
  return new Map(sums.map(({ id, spent }) => [id, spent ?? 0]));
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

/** Registers the routes whose responses contain a secret. */
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
      return reply.code(201).send(toIssuedKeyJson(issued));
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
    async (request) =>
      toIssuedKeyJson(await keys.rotate(request.params.key, request.body, getActor(request))),
  );
}
