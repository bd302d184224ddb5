import { z } from "zod";
import { formatTimestamp, timestampSchema } from "../presentation/timestamp.ts";
import {
  type DashboardSession,
  getDashboardSession,
  type SessionAuthentication,
} from "../sessions/session-authentication.ts";
import type { AdminScope } from "./admin-scope.ts";
import { errorResponseSchemas } from "./api-schemas.ts";

const URL_PATH = "/session";
/** Only the dashboard's own pages can use these routes, so the API reference does not list them. docs/dashboard.md describes them. */
const hide = true;

const signInBody = z.strictObject({
  key: z.string().min(1).max(512).describe("The secret of a key with the role admin"),
});

const sessionSchema = z
  .object({
    key_id: z.string().describe("Id of the key with which the operator signed in"),
    key_name: z.string().describe("Name of that key"),
    expires_at: timestampSchema.describe(
      "Time at which the session ends, in ISO 8601 (UTC); it ends earlier if its key is no longer valid",
    ),
  })
  .describe("A session of the dashboard");

function toSessionJson({ key, expiresAt }: DashboardSession): z.output<typeof sessionSchema> {
  return { key_id: key.id, key_name: key.name, expires_at: formatTimestamp(expiresAt) };
}

/** Registers `POST /admin/v1/session`, which exchanges an admin key for a session cookie. The scope must not require a key. */
export function registerSignIn(scope: AdminScope, sessions: SessionAuthentication): void {
  scope.post(
    URL_PATH,
    {
      schema: {
        hide,
        body: signInBody,
        response: { 201: sessionSchema, ...errorResponseSchemas },
      },
    },
    async (request, reply) => {
      const { session, cookie } = await sessions.signIn(request, request.body.key, request.source);
      reply.code(201).header("set-cookie", cookie);
      return toSessionJson(session);
    },
  );
}

/** Registers `GET` and `DELETE /admin/v1/session`, which show and end the session of the request. */
export function registerSessionRoutes(scope: AdminScope, sessions: SessionAuthentication): void {
  scope.get(
    URL_PATH,
    {
      schema: {
        hide,
        response: { 200: sessionSchema, ...errorResponseSchemas },
      },
    },
    async (request) => toSessionJson(getDashboardSession(request)),
  );
  scope.delete(
    URL_PATH,
    {
      schema: {
        hide,
        response: { 204: z.null().describe("The session has ended"), ...errorResponseSchemas },
      },
    },
    async (request, reply) => {
      const cookie = await sessions.signOut(request, request.source);
      await reply.code(204).header("set-cookie", cookie).send(null);
    },
  );
}
