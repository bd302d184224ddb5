import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { Actor } from "../keys/managed-key.ts";
import { plainTextSchema } from "../keys/key-input.ts";
import type { KeyService } from "../keys/key-service.ts";
import { issuedKeySchema, keySchema, toIssuedKeyJson, toKeyJson } from "../presentation/key-json.ts";
import type { AdminScope } from "./admin-scope.ts";
import {
  errorResponseSchemas,
  keyChangesBodySchema,
  newKeyBodySchema,
  pageLimitSchema,
  queryTextSchema,
  rotationBodySchema,
} from "./api-schemas.ts";

const tags = ["keys"];
const keyParam = z.object({ key: plainTextSchema.min(1).max(64).describe("Id or name") });
const keyResponse = { 200: keySchema, ...errorResponseSchemas };
const listQuery = z.strictObject({
  owner: queryTextSchema,
  include_revoked: z
    .enum(["true", "false"], { error: "must be true or false" })
    .default("false")
    .transform((text) => text === "true"),
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
  const listResponse = z.object({ data: z.array(keySchema) }).describe("A page of keys");
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
      const { include_revoked: includeRevoked, ...filter } = query;
      return { data: (await keys.list({ ...filter, includeRevoked })).map(toKeyJson) };
    },
  );
  scope.get(
    "/keys/:key",
    { schema: { tags, summary: "Show a key", params: keyParam, response: keyResponse } },
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
        params: keyParam,
        body: keyChangesBodySchema,
        response: keyResponse,
      },
    },
    async (request) => toKeyJson(await keys.update(request.params.key, request.body, getActor(request))),
  );
  scope.delete(
    "/keys/:key",
    { schema: { tags, summary: "Revoke a key permanently", params: keyParam, response: keyResponse } },
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
        params: keyParam,
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

function getActor(request: FastifyRequest): Actor {
  return { actor: request.caller.key?.id ?? "", source: request.source };
}
