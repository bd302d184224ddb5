import type { FastifyInstance, FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import { serializerCompiler, type ZodTypeProvider } from "fastify-type-provider-zod";
import { GatewayError } from "../errors.ts";
import type { Setting } from "../config/settings.ts";
import { getClientAddress } from "../http/client-address.ts";
import { requireJson } from "../http/raw-json.ts";
import type { KeyService } from "../keys/key-service.ts";
import { parseJsonObject } from "../request/json-object.ts";
import { rejectOtherMethods } from "../endpoints/method-not-allowed.ts";
import type { Database } from "../store/database.ts";
import { isUnavailable } from "../store/database-errors.ts";
import type { SessionAuthentication } from "../sessions/session-authentication.ts";
import type { AdminScope } from "./admin-scope.ts";
import { registerAlertRoutes } from "./alert-routes.ts";
import { registerAuditRoutes } from "./audit-routes.ts";
import { registerBudgetRoutes } from "./budget-routes.ts";
import { GatewayStatus, type StatusSources } from "./gateway-status.ts";
import { registerGroupRoutes } from "./group-routes.ts";
import { registerHealthRoutes } from "./health-routes.ts";
import { registerKeyRoutes } from "./key-routes.ts";
import { type ModelLister, registerModelRoutes } from "./model-routes.ts";
import { registerRequestRoutes } from "./request-routes.ts";
import { registerSeriesRoutes } from "./series-routes.ts";
import { registerSessionRoutes, registerSignIn } from "./session-routes.ts";
import { registerUsageRoutes } from "./usage-routes.ts";
import { compileZodValidator } from "./validation.ts";

const PREFIX = "/admin/v1";
const BODY_LIMIT_BYTES = 65_536;

declare module "fastify" {
  interface FastifyRequest {
    /** The client's address, which the audit table records with each change. */
    source: string;
  }
}

interface AdminOptions {
  /** Hooks that reject requests without an admin key. */
  readonly accessHooks: onRequestAsyncHookHandler[];
  readonly keys: KeyService;
  readonly database: Database;
  readonly models: ModelLister;
  readonly status: StatusSources;
  readonly settings: readonly Setting[];
  /** undefined: the API accepts only keys. */
  readonly sessions?: SessionAuthentication | undefined;
}

/** Methods by URL; requests with other methods get 405. */
const METHODS: Readonly<Record<string, readonly string[]>> = {
  "/keys": ["GET", "POST"],
  "/keys/:key": ["GET", "PATCH", "DELETE"],
  "/keys/:key/rotate": ["POST"],
  "/keys/:key/budgets": ["GET"],
  "/groups": ["GET", "POST"],
  "/groups/:group": ["GET", "PATCH", "DELETE"],
  "/groups/:group/budgets": ["GET"],
  "/audit": ["GET"],
  "/alerts": ["GET"],
  "/models": ["GET"],
  "/health": ["GET"],
  "/configuration": ["GET"],
  "/usage": ["GET"],
  "/timeseries": ["GET"],
  "/failures": ["GET"],
  "/requests": ["GET"],
  "/requests/:request": ["GET"],
};

/** The admin API: keys, groups, usage and the ledger, for clients with an admin key. Zod schemas validate and document it. */
export async function adminApiPlugin(app: FastifyInstance, options: AdminOptions): Promise<void> {
  const { sessions } = options;
  for (const [url, methods] of Object.entries(METHODS)) rejectOtherMethods(app, PREFIX + url, methods);
  if (sessions) rejectOtherMethods(app, `${PREFIX}/session`, ["GET", "POST", "DELETE"]);
  await app.register(
    (plugin, _options, done) => {
      const scope = plugin.withTypeProvider<ZodTypeProvider>();
      scope.setValidatorCompiler(compileZodValidator);
      scope.setSerializerCompiler(serializerCompiler);
      parseJsonBodies(scope);
      translateErrors(scope);
      recordSource(scope);
      protectResponses(scope);
      scope.decorateRequest("dashboardSession");
      if (sessions) registerPublicRoutes(scope, sessions);
      registerProtectedRoutes(scope, options);
      done();
    },
    { prefix: PREFIX },
  );
}

/** Registers the routes that need neither a key nor a session, in a scope without the access hooks. */
function registerPublicRoutes(parent: AdminScope, sessions: SessionAuthentication): void {
  void parent.register((plugin, _options, done) => {
    requireJsonBodies(plugin);
    registerSignIn(plugin.withTypeProvider<ZodTypeProvider>(), sessions);
    done();
  });
}

function registerProtectedRoutes(parent: AdminScope, options: AdminOptions): void {
  const { accessHooks, keys, database, sessions } = options;
  void parent.register((plugin, _options, done) => {
    const scope = plugin.withTypeProvider<ZodTypeProvider>();
    for (const hook of accessHooks) scope.addHook("onRequest", hook);
    requireJsonBodies(plugin);
    if (sessions) registerSessionRoutes(scope, sessions);
    registerKeyRoutes(scope, keys, database);
    registerGroupRoutes(scope, keys.groups, database);
    registerBudgetRoutes(scope, keys, database);
    registerAuditRoutes(scope, keys);
    registerUsageRoutes(scope, keys, database);
    registerSeriesRoutes(scope, keys, database);
    registerRequestRoutes(scope, keys, database);
    registerModelRoutes(scope, keys, options.models);
    registerAlertRoutes(scope, database);
    registerHealthRoutes(scope, new GatewayStatus(options.status, database), options.settings);
    done();
  });
}

/** Rejects bodies that are not JSON. A request without a body needs no media type. */
function requireJsonBodies(plugin: FastifyInstance): void {
  plugin.addHook("onRequest", (request, reply, next) => {
    const { "content-length": length, "transfer-encoding": encoding } = request.headers;
    if ((length === undefined || length === "0") && encoding === undefined) next();
    else requireJson.call(plugin, request, reply, next);
  });
}

/** No cache may store a response, also not that of the browser. Some contain secrets, and CSV and NDJSON any text of clients. */
function protectResponses(scope: AdminScope): void {
  scope.addHook("onRequest", (_request, reply, next) => {
    reply.headers({ "cache-control": "no-store", "x-content-type-options": "nosniff" });
    next();
  });
}

/** Stores the client's address before the first asynchronous hook, because a connection that has been reset has none. */
function recordSource(scope: AdminScope): void {
  scope.decorateRequest("source", "");
  scope.addHook("onRequest", (request, _reply, next) => {
    request.source = getClientAddress(request);
    next();
  });
}

/** Parses JSON bodies of the admin API, which are small, unlike those of chat completions. */
function parseJsonBodies(scope: AdminScope): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(
    "application/json",
    { parseAs: "buffer", bodyLimit: BODY_LIMIT_BYTES },
    async (request: FastifyRequest, body: Buffer) => {
      request.context.stopwatch.resume();
      request.context.bytesIn = body.length;
      // A client may send `content-type: application/json` with an empty body.
      return body.length === 0 ? undefined : parseJsonObject(body).value;
    },
  );
}

/** Converts errors of the database and of Fastify to gateway errors. The common error handler handles all others. */
function translateErrors(scope: AdminScope): void {
  scope.setErrorHandler((error) => {
    if (isUnavailable(error)) {
      throw new GatewayError("store_unavailable", "The database is unavailable; try again shortly.", {
        cause: error,
      });
    }
    const tooLarge = error instanceof Error && "code" in error && error.code === "FST_ERR_CTP_BODY_TOO_LARGE";
    throw tooLarge
      ? new GatewayError("request_too_large", `The request body has more than ${BODY_LIMIT_BYTES} bytes.`)
      : error;
  });
}
