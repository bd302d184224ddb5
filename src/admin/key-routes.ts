import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { Actor, IssuedKey } from "../keys/gateway-key.ts";
import type { KeyService } from "../keys/key-service.ts";
import type { AdminScope } from "./admin-api.ts";
import {
  keyChangesBody,
  newKeyBody,
  rotationBody,
  toWireAuditEntry,
  toWireKey,
  wireAuditEntry,
  wireIssuedKey,
  wireKey,
} from "./wire.ts";

const PAGE_MAX = 500;
const keyParam = z.object({ key: z.string().min(1).max(64).describe("Id or name") });
const page = z.coerce.number().int().min(1).max(PAGE_MAX).default(100);
const truth = z.stringbool({ truthy: ["true"], falsy: ["false"], error: "must be true or false" });

/** Routes that create, list, show, change, rotate and revoke keys, and the one that tells who did. */
export function keyRoutes(scope: AdminScope, keys: KeyService): void {
  listAndShow(scope, keys);
  const tags = ["keys"];
  scope.post(
    "/keys",
    { schema: { tags, summary: "Create a key", body: newKeyBody, response: { 201: wireIssuedKey } } },
    async (request, reply) => {
      const issued = await keys.create(request.body, actorOf(request));
      return reply.code(201).header("cache-control", "no-store").send(toWireIssued(issued));
    },
  );
  scope.patch(
    "/keys/:key",
    {
      schema: {
        tags,
        summary: "Change a key",
        params: keyParam,
        body: keyChangesBody,
        response: { 200: wireKey },
      },
    },
    async (request) => toWireKey(await keys.update(request.params.key, request.body, actorOf(request))),
  );
  scope.post(
    "/keys/:key/rotate",
    {
      schema: {
        tags,
        summary: "Give a key a new secret; the old one is good for grace_ms more",
        params: keyParam,
        body: rotationBody,
        response: { 200: wireIssuedKey },
      },
    },
    async (request, reply) => {
      const issued = await keys.rotate(request.params.key, request.body, actorOf(request));
      return reply.header("cache-control", "no-store").send(toWireIssued(issued));
    },
  );
  scope.delete(
    "/keys/:key",
    { schema: { tags, summary: "Revoke a key, for good", params: keyParam, response: { 200: wireKey } } },
    async (request) => toWireKey(await keys.revoke(request.params.key, actorOf(request))),
  );
}

function listAndShow(scope: AdminScope, keys: KeyService): void {
  const listQuery = z.strictObject({
    owner: z.string().optional(),
    include_revoked: truth.default(false),
    limit: page,
    after: z.string().optional().describe("Id of the last key of the page before"),
  });
  scope.get(
    "/keys",
    {
      schema: {
        tags: ["keys"],
        summary: "List keys",
        querystring: listQuery,
        response: { 200: z.object({ data: z.array(wireKey) }) },
      },
    },
    async ({ query }) => {
      const { include_revoked: includeRevoked, ...filter } = query;
      return { data: (await keys.list({ ...filter, includeRevoked })).map(toWireKey) };
    },
  );
  scope.get(
    "/keys/:key",
    { schema: { tags: ["keys"], summary: "Show a key", params: keyParam, response: { 200: wireKey } } },
    async (request) => toWireKey(await keys.show(request.params.key)),
  );
  const auditQuery = z.strictObject({
    key: z.string().optional().describe("Id of a key"),
    limit: page,
    before: z.string().optional().describe("Id of the last entry of the page before"),
  });
  scope.get(
    "/audit",
    {
      schema: {
        tags: ["keys"],
        summary: "Who changed which key, when, and from where; newest first",
        querystring: auditQuery,
        response: { 200: z.object({ data: z.array(wireAuditEntry) }) },
      },
    },
    async ({ query }) => {
      const { key: keyId, ...filter } = query;
      return { data: (await keys.audit({ ...filter, keyId })).map(toWireAuditEntry) };
    },
  );
}

function toWireIssued({ key, secret }: IssuedKey): z.output<typeof wireIssuedKey> {
  return { ...toWireKey(key), secret };
}

function actorOf(request: FastifyRequest): Actor {
  return { actor: request.caller.key?.id ?? "", source: request.ip };
}
