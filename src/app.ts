import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Logger } from "pino";
import type { Persistence } from "./persistence.ts";
import type { Config } from "./config/config.ts";
import { createProxyTrust } from "./http/client-address.ts";
import { CoalescingMessage } from "./http/coalescing-message.ts";
import { sendClientError } from "./http/client-error.ts";
import { type ClientConnections, guardConnections } from "./http/client-connections.ts";
import { allowOrigins } from "./http/cors.ts";
import { closeIdleConnections, type ShutdownState } from "./http/shutdown.ts";
import { sendAnyError, handleErrors } from "./http/error-handler.ts";
import { beginRequest, trackRequests } from "./http/active-requests.ts";
import type { OnRequestEnd } from "./http/request-context.ts";
import { setDefaultHeaders } from "./http/default-headers.ts";
import { continueWhenAccepted, keepBodiesRaw } from "./http/raw-json.ts";
import { MIN_RATE } from "./http/read-body.ts";
import { chooseRequestId } from "./http/request-id.ts";
import { guardAgainstSmuggling } from "./http/smuggling-guard.ts";
import { authenticate, type AuthenticateOptions } from "./auth/authenticate.ts";
import type { KeyStore } from "./auth/key-store.ts";
import { KnownSecrets } from "./auth/known-secrets.ts";
import { LookUpQueue } from "./auth/look-up-queue.ts";
import { BodyMemory } from "./limits/body-memory.ts";
import type { InFlight } from "./limits/in-flight.ts";
import { KeyLimiter } from "./limits/key-limiter.ts";
import { LimitDecisions } from "./limits/limit-decisions.ts";
import { createLimit } from "./limits/rate-limit.ts";
import { limitResponseMemory } from "./limits/response-memory.ts";
import { hasRateLimits } from "./limits/scoped-limits.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { LogOutput } from "./observability/log-output.ts";
import { logRequest } from "./observability/logger.ts";
import { registerCatalog } from "./endpoints/catalog.ts";
import { registerDiagnosticStream } from "./endpoints/diagnostic-stream.ts";
import { registerGeneration } from "./endpoints/generation.ts";
import { registerRelayedEndpoints } from "./endpoints/relay-requests.ts";
import { ComponentHealth } from "./endpoints/component-health.ts";
import { registerHealth } from "./endpoints/health.ts";
import { registerKey } from "./endpoints/key.ts";
import { type ModelsOptions, registerModels } from "./endpoints/models.ts";
import { handleNotFound } from "./endpoints/not-found.ts";
import { WorstCaseFinder } from "./endpoints/worst-case.ts";
import { registerRoot } from "./endpoints/root.ts";
import type { RelayOptions } from "./relay/relay-options.ts";
import type { RedisStore } from "./store/redis.ts";
import type { AccountBalance } from "./upstream/account-balance.ts";
import { CatalogCache } from "./upstream/catalog-cache.ts";
import { EndpointCatalog } from "./upstream/endpoint-catalog.ts";
import { LimitedFetch } from "./upstream/limited-fetch.ts";
import { ModelCatalog } from "./upstream/model-catalog.ts";
import type { Upstream } from "./upstream/openrouter.ts";

const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 120_000;
const TIMEOUT_CHECK_MS = 3_000;
const MODEL_ID_MAX = 512;
/** Limit per address and window if `RATE_LIMIT_MAX` is 0. Failed logins and requests for unknown URLs count separately. */
const UNAUTHENTICATED_MAX = 600;

/** Dependencies of the app. The app does not listen on a port and does not read the environment. */
export interface AppDependencies {
  readonly config: Config;
  readonly keys: KeyStore;
  readonly upstream: Upstream;
  /** undefined without an OpenRouter account, and if `ACCOUNT_POLL_MS` is 0. */
  readonly account: AccountBalance | undefined;
  readonly redis: RedisStore | undefined;
  /** Keys and ledger in a database; undefined without a database. */
  readonly persistence: Persistence | undefined;
  readonly logger: Logger;
  readonly shutdown: ShutdownState;
  readonly inFlight: InFlight;
  /** undefined without `METRICS_PORT`. */
  readonly metrics: Metrics | undefined;
  /** undefined if the log has another destination than standard output. */
  readonly logOutput?: LogOutput | undefined;
}

interface RouteDependencies extends AppDependencies {
  readonly components: ComponentHealth;
  readonly bodyMemory: BodyMemory;
  readonly clients: ClientConnections;
}

/** Builds the gateway's HTTP app. Hooks run for each request in the order in which they are registered here. */
export async function buildApp(deps: AppDependencies): Promise<FastifyInstance> {
  const { config, redis, persistence, logger, shutdown, inFlight, metrics } = deps;
  const bodyMemory = new BodyMemory(config.bodyMemoryBytes);
  const onEnd: OnRequestEnd = (context) => {
    // Must run before `leave`, which deletes the counts of a caller when its last request ends.
    bodyMemory.release(context);
    inFlight.leave(context);
    context.limitHold?.end(context);
    context.meter?.end(context);
    metrics?.recordRequest(context);
    logRequest(logger, context);
  };
  const app = createServer(deps, onEnd);
  const clients = guardConnections(app.server, config, logger);
  trackRequests(app, onEnd);
  setDefaultHeaders(app, shutdown);
  limitResponseMemory(app);
  handleErrors(app, logger);
  guardAgainstSmuggling(app);
  await allowOrigins(app, config.corsOrigins, logger);
  const limits = createLimits(config, redis);
  app.addHook("onClose", () => limits.keyLimiter.close());
  handleNotFound(app, limits.unknownUrls);
  keepBodiesRaw(app, {
    maxBytes: config.bodyLimitBytes,
    budget: bodyMemory,
    uploads: inFlight,
    minRate: MIN_RATE,
  });
  continueWhenAccepted(app);
  closeIdleConnections(app);
  app.decorateRequest("caller");

  if (persistence) await (await import("./admin/documentation.ts")).documentationPlugin(app);
  const components = createComponentHealth(deps);
  await addRoutes(app, { ...deps, bodyMemory, clients, components }, limits);
  const { decisions: limitDecisions } = limits;
  metrics?.collectFrom({ ...deps, bodyMemory, clients, components, limitDecisions });
  return app;
}

async function addRoutes(app: FastifyInstance, deps: RouteDependencies, limits: Limits): Promise<void> {
  const { config, keys, upstream, persistence, logger, inFlight, bodyMemory } = deps;
  const { openrouterApiKey, allowAnonymous } = config;
  const { appUrl, appTitle } = config.upstream;
  const { failedLogins, enforcePerKey, enforcePerKeyForModels } = limits;
  const access = { openrouterApiKey, keys, failedLogins, ...loginMemory(config) };
  const asCaller = authenticate({ ...access, allowAnonymous, role: "caller" });
  const accessHooks = [asCaller, enforcePerKey];
  const authorization = openrouterApiKey === undefined ? undefined : `Bearer ${openrouterApiKey}`;
  const catalog = new ModelCatalog(upstream, authorization, {
    onSkipped: (entries) => logger.warn({ entries }, "models: skipped listed entries without an id"),
  });
  deps.metrics?.setModels(catalog);
  const endpoints = new EndpointCatalog(upstream, authorization);
  registerHealth(app, deps);
  registerRelayedEndpoints(app, {
    accessHooks: [asCaller, enforcePerKeyForModels],
    inFlight,
    bodyMemory,
    upstream,
    catalog,
    endpoints,
    aliases: config.modelAliases,
    recorder: persistence?.recorder,
    relay: createRelayOptions(config, persistence),
    account: deps.account,
    budgets: persistence?.budgets,
    worstCases: new WorstCaseFinder({ catalog, endpoints }),
    appUrl,
    appTitle,
  });
  registerReads(app, deps, { accessHooks, catalog, aliases: config.modelAliases });
  registerKey(app, { accessHooks, persistence });
  registerDiagnosticStream(app, accessHooks);
  if (persistence) {
    const { registerManagement } = await import("./management.ts");
    await registerManagement(app, {
      config,
      persistence,
      models: catalog,
      access,
      enforcePerKey,
      status: deps,
      logger,
    });
  }
}

function createComponentHealth({ persistence, redis }: AppDependencies): ComponentHealth {
  return new ComponentHealth({
    required: persistence
      ? { database: () => persistence.isHealthy(), journal: () => persistence.recorder.canBegin() }
      : {},
    optional: {
      ...(redis && { redis: () => redis.isReachable() }),
      ...(persistence && {
        settlement: () => persistence.recorder.isReconcilerHealthy,
        keys: () => persistence.keyCache.isHealthy,
      }),
    },
  });
}

/** Registers the endpoints that read from OpenRouter and call no model. */
function registerReads(
  app: FastifyInstance,
  deps: RouteDependencies,
  { accessHooks, catalog, aliases }: ModelsOptions,
): void {
  const { config, upstream, persistence } = deps;
  const usesOperatorKey = config.openrouterApiKey !== undefined;
  const fetch = new LimitedFetch(upstream);
  registerRoot(app, {
    hasDocumentation: persistence !== undefined,
    hasDashboard: persistence !== undefined && config.dashboardSessionMs > 0,
  });
  registerModels(app, { accessHooks, catalog, aliases });
  registerCatalog(app, { accessHooks, models: catalog, cache: new CatalogCache(fetch), usesOperatorKey });
  registerGeneration(app, { accessHooks, fetch, database: persistence?.database, usesOperatorKey });
}

function createRelayOptions(config: Config, persistence: Persistence | undefined): RelayOptions {
  return {
    usesOperatorKey: config.openrouterApiKey !== undefined,
    // Without a ledger nothing looks up the cost of an abandoned request.
    headWaitMs: persistence ? config.ledger.headWaitMs : 0,
    drainBounds: config.ledger.drainBounds,
    totalTimeoutMs: config.upstreamTotalTimeoutMs,
    responseLimitBytes: config.responseLimitBytes,
  };
}

/** Creates the state that is shared by the authentication of caller keys and of admin keys. */
function loginMemory({ gatewayKeys }: Config): Pick<AuthenticateOptions, "knownSecrets" | "lookUps"> {
  return { knownSecrets: new KnownSecrets(gatewayKeys), lookUps: new LookUpQueue() };
}

function createServer({ config, logger, metrics }: AppDependencies, onEnd: OnRequestEnd): FastifyInstance {
  return fastify({
    logger: false,
    genReqId: chooseRequestId,
    bodyLimit: config.bodyLimitBytes,
    trustProxy: config.trustProxy.length > 0 ? createProxyTrust(config.trustProxy) : false,
    keepAliveTimeout: config.keepAliveTimeoutMs,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      IncomingMessage: CoalescingMessage,
      requireHostHeader: false,
    },
    forceCloseConnections: "idle",
    // ShutdownState announces the shutdown instead: Fastify's 503 would reject requests that can still be served.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MODEL_ID_MAX },
    clientErrorHandler: (error, socket) => {
      const record = sendClientError(error, socket);
      if (!record) return;
      metrics?.recordUnparsed(record);
      logger.info(record, "request");
    },
    frameworkErrors: (error, request, reply) => {
      beginRequest(request, reply, onEnd);
      reply.header("x-request-id", request.id);
      sendAnyError(error, request, reply, logger);
    },
  });
}

type Limits = ReturnType<typeof createLimits>;

function createLimits(config: Config, redis: RedisStore | undefined) {
  const { max, windowMs } = config.rateLimit;
  const decisions = new LimitDecisions();
  const counting = { redis, decisions };
  const perAddress = { ...counting, max: max || UNAUTHENTICATED_MAX, windowMs, refusesFromMemory: true };
  const perKey = createLimit({ ...counting, name: "key", max, windowMs });
  const keyLimiter = new KeyLimiter({ ...counting, defaultLimit: config.rateLimit });
  return {
    decisions,
    keyLimiter,
    failedLogins: createLimit({ name: "failed-login", ...perAddress }),
    unknownUrls: createLimit({ name: "unknown-url", ...perAddress }),
    enforcePerKey: ({ caller: { key, limitKey } }: FastifyRequest, reply: FastifyReply) =>
      key && hasRateLimits(key) ? keyLimiter.admitRead(key, reply) : perKey.consume(limitKey, reply),
    enforcePerKeyForModels: ({ caller: { key, limitKey }, context }: FastifyRequest, reply: FastifyReply) =>
      key && hasRateLimits(key)
        ? keyLimiter.admitModelRequest(context, key, reply)
        : perKey.consume(limitKey, reply),
  };
}
