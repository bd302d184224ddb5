import { UNLIMITED } from "../../src/limits/limit-settings.ts";
import { type AddressInfo } from "node:net";
import { fastify, type FastifyReply, type FastifyRequest } from "fastify";
import type { KyselyPlugin } from "kysely";
import { onTestFinished } from "vitest";
import { adminApiPlugin } from "../../src/admin/admin-api.ts";
import { Connections } from "../../src/http/connections.ts";
import { ShutdownState } from "../../src/http/shutdown.ts";
import { loadConfig } from "../../src/config/config.ts";
import { ComponentHealth } from "../../src/endpoints/component-health.ts";
import { handleErrors } from "../../src/http/error-handler.ts";
import { trackRequests } from "../../src/http/active-requests.ts";
import type { RequestContext } from "../../src/http/request-context.ts";
import { setDefaultHeaders } from "../../src/http/default-headers.ts";
import { keepBodiesRaw } from "../../src/http/raw-json.ts";
import { MIN_RATE } from "../../src/http/read-body.ts";
import { closeStalledClients } from "../../src/http/stalled-clients.ts";
import type { Caller } from "../../src/auth/authenticate.ts";
import { KeyService } from "../../src/keys/key-service.ts";
import { BodyMemory } from "../../src/limits/body-memory.ts";
import { InFlight } from "../../src/limits/in-flight.ts";
import { createLogger } from "../../src/observability/logger.ts";
import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import type { Database } from "../../src/store/database.ts";

/** The admin API without the rest of the gateway, on a database that the test controls. */
export interface AdminApp {
  readonly port: number;
  /** Requests that have ended. */
  readonly ended: readonly RequestContext[];
  /** Returns the number of statements that the database has received. */
  readonly countStatements: () => number;
  /** Returns the response to the latest request. */
  readonly lastResponse: () => FastifyReply["raw"] | undefined;
}

interface AdminAppOptions {
  readonly clientStallTimeoutMs?: number;
  /** Awaited for each request, in place of the look-up of its key. */
  readonly beforeAuthentication?: () => Promise<void>;
  /** Called before each statement. `count` is the number of earlier statements. If the function throws, the statement fails. */
  readonly beforeStatement?: (count: number) => void;
}

const ADMIN: Caller = {
  key: {
    id: "key_admin",
    name: "admin",
    role: "admin",
    models: null,
    aliases: NO_ALIASES,
    onDisconnect: "cancel",
    ...UNLIMITED,
  },
  limitKey: "key:key_admin",
  authorization: "",
};

/** The ledger of a process that has no requests. */
const NO_RECORDER = {
  instance: "none",
  queue: { rows: 0, journalBytes: 0, journalMaxBytes: 1_048_576 },
  totals: { unknownCosts: 0, overruns: 0, quarantinedRows: 0 },
};

/** Starts the admin API on a free port. It treats every client as an admin. The server stops when the test ends. */
export async function startAdminApp(
  database: Database,
  { clientStallTimeoutMs = 60_000, beforeStatement = () => {}, beforeAuthentication }: AdminAppOptions = {},
): Promise<AdminApp> {
  let statements = 0;
  let response: FastifyReply["raw"] | undefined;
  const ended: RequestContext[] = [];
  const counting: KyselyPlugin = {
    transformQuery({ node }) {
      beforeStatement(statements++);
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  const { kysely, reader, reports } = database;
  const watched = {
    ...database,
    kysely: kysely.withPlugin(counting),
    reader: reader.withPlugin(counting),
    reports: reports.withPlugin(counting),
  };
  const app = fastify({ exposeHeadRoutes: false, forceCloseConnections: true });
  const connections = new Connections(app.server);
  const shutdown = new ShutdownState();
  closeStalledClients(app.server, connections, clientStallTimeoutMs);
  trackRequests(app, (context) => ended.push(context));
  setDefaultHeaders(app, shutdown);
  handleErrors(app, createLogger("silent"));
  const inFlight = new InFlight(1_000);
  const budget = new BodyMemory(1_000_000);
  keepBodiesRaw(app, { maxBytes: 1_048_576, budget, uploads: inFlight, minRate: MIN_RATE });
  app.decorateRequest("caller");
  app.addHook("onRequest", async (_request, reply) => {
    response = reply.raw;
  });
  const accessHooks = [
    async (request: FastifyRequest): Promise<void> => {
      await beforeAuthentication?.();
      request.caller = ADMIN;
    },
  ];
  await adminApiPlugin(app, {
    accessHooks,
    keys: new KeyService(watched),
    database: watched,
    models: { listAll: () => Promise.reject(new Error("this app has no upstream")) },
    status: {
      components: new ComponentHealth({ required: { database: () => watched.isReachable() }, optional: {} }),
      inFlight,
      bodyMemory: budget,
      clients: { connections, max: 1_000 },
      shutdown,
      recorder: NO_RECORDER,
      account: undefined,
    },
    settings: loadConfig({}).settings,
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  return { port, ended, countStatements: () => statements, lastResponse: () => response };
}
