import { z } from "zod";
import type { KeyService } from "../keys/key-service.ts";
import { issuedKeySchema, keySchema, toIssuedKeyJson, toKeyJson } from "../presentation/key-json.ts";
import { getActor } from "./actor.ts";
import type { AdminScope } from "./admin-scope.ts";
import {
  errorResponseSchemas,
  keyChangesBodySchema,
  keyParamSchema,
  newKeyBodySchema,
  pageLimitSchema,
  queryTextSchema,
  rotationBodySchema,
} from "./api-schemas.ts";

const tags = ["keys"];
const keyResponse = { 200: keySchema, ...errorResponseSchemas };
const listQuery = z.strictObject({
  owner: queryTextSchema.describe("Only keys of this owner"),
  group: queryTextSchema.describe("Only keys of this group, by its id or name"),
  include_revoked: z
    .enum(["true", "false"], { error: "must be true or false" })
    .default("false")
    .transform((text) => text === "true")
    .describe("Whether the list contains revoked keys"),
  limit: pageLimitSchema,
  after: queryTextSchema.describe("Id of the last key of the previous page"),
});

/** Registers the routes that create, list, show, change, rotate and revoke keys. */
export function registerKeyRoutes(scope: AdminScope, keys: KeyService): void {
  registerReading(scope, keys);
  registerChanges(scope, keys);
  registerSecrets(scope, keys);
}

function registerReading(scope: AdminScope, keys: KeyService): void {
  const listResponse = z
    .object({ data: z.array(keySchema).describe("The keys, in the order of their ids") })
    .describe("A page of keys");
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
      const { include_revoked: includeRevoked, group, ...filter } = query;
      const groupId = group === undefined ? undefined : (await keys.groups.get(group)).id;
      return { data: (await keys.list({ ...filter, groupId, includeRevoked })).map(toKeyJson) };
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
