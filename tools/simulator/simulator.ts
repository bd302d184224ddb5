// An HTTP server that responds and bills as OpenRouter does. A request can select a fault, which the server then simulates
// (see `behaviour.ts`). It has no dependencies besides Node.
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  createServer,
} from "node:http";
import type { AddressInfo } from "node:net";
import { formatAccountKey, formatLabel, hashKey } from "./activity.ts";
import { formatGeneration, type Charges, toUsd } from "./billing.ts";
import { findEndpoint } from "./endpoints.ts";
import { formatAnthropicError } from "./errors.ts";
import { findCatalog } from "./catalog-requests.ts";
import { respond } from "./respond.ts";
import { USER_ID } from "./errors.ts";
import { HttpExchange } from "./http-exchange.ts";
import { type BillingObserver, SimulatorState, type SeenRequest, type SimulatorStats } from "./state.ts";

/** How to start a simulator. */
export interface SimulatorOptions {
  /** default 127.0.0.1 */
  readonly host?: string;
  /** default 0, any free port */
  readonly port?: number;
  /** API keys to accept; by default, any bearer token is accepted */
  readonly apiKeys?: readonly string[];
  /** time from the end of a request until `GET /generation` returns its record; default 2000; OpenRouter takes some 20 s */
  readonly generationDelayMs?: number;
  /** limit of the key in USD, from which billed amounts are subtracted; null: no limit; default 100 */
  readonly keyLimitUsd?: number | null;
  /** credits of the account in USD, from which billed amounts are subtracted; default 1000 */
  readonly creditsUsd?: number;
  /** number of requests to store with their bodies, the most recent ones; default 1000; benchmarks store none (0) */
  readonly keepSeen?: number;
  /** the only key that may call `/activity` and `/keys`; by default, any accepted key may */
  readonly managementKey?: string;
  /** clock of `GET /activity`, in ms since 1970: it dates billed generations, and decides which days are completed */
  readonly now?: () => number;
  /** called when the cost of a generation is known and when it is billed */
  readonly observer?: BillingObserver;
  /** called on arrival of every request; returns the behaviour for a request whose client sends no `x-simulate` */
  readonly chooseBehaviour?: (headers: IncomingHttpHeaders) => string | undefined;
}

/**
 * Responds to a request for a model in place of the simulator.
 * @param exchange the request, with methods that send its response or abort it.
 * @param body the request's body, whole.
 */
export type Interceptor = (exchange: HttpExchange, body: Buffer) => void | Promise<void>;

/** A running simulator. */
export interface Simulator {
  readonly origin: string;
  /** the base URL for clients: `origin` followed by `/api/v1` */
  readonly baseUrl: string;
  /** the stored requests since the start or the last reset, oldest first */
  readonly seen: readonly SeenRequest[];
  readStats(): SimulatorStats;
  /** nanodollars billed for a generation; undefined until it has ended */
  findBilledNanodollars(generationId: string): number | undefined;
  /** passes every POST to a model endpoint to `interceptor`, without checking its key, until called without an argument */
  intercept(interceptor?: Interceptor): void;
  /** deletes the stored requests, counters, charges and the failure counts of `flaky` */
  reset(): void;
  /** stops listening and destroys open connections */
  close(): Promise<void>;
}

type Settings = Required<
  Omit<SimulatorOptions, "apiKeys" | "observer" | "chooseBehaviour" | "managementKey" | "now">
> & {
  readonly apiKeys: ReadonlySet<string> | undefined;
  readonly managementKey: string | undefined;
};

const API = "/api/v1";

/** Starts a simulator. @throws the error of `listen`, for example EADDRINUSE */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings: Settings = {
    host: options.host ?? "127.0.0.1",
    port: options.port ?? 0,
    apiKeys: options.apiKeys && new Set(options.apiKeys),
    managementKey: options.managementKey,
    generationDelayMs: options.generationDelayMs ?? 2000,
    keyLimitUsd: options.keyLimitUsd === undefined ? 100 : options.keyLimitUsd,
    creditsUsd: options.creditsUsd ?? 1000,
    keepSeen: options.keepSeen ?? 1000,
  };
  const createState = (): SimulatorState =>
    new SimulatorState(settings.keepSeen, options.observer, options.now);
  let state = createState();
  const reset = (): void => {
    state = createState();
  };
  let intercepting: Interceptor | undefined;
  const server = createServer((req, res) => {
    const behaviour = options.chooseBehaviour?.(req.headers);
    if (behaviour !== undefined) req.headers["x-simulate"] ??= behaviour;
    if (req.url?.startsWith("/__simulator/")) serveControl(req, res, state, reset);
    else void serve(new HttpExchange(req, res, state), settings, intercepting);
  });
  // Tests send bodies slowly and pause between requests.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 60_000;
  await listen(server, settings);
  const { port } = server.address() as AddressInfo;
  const host = settings.host.includes(":") ? `[${settings.host}]` : settings.host;
  const origin = `http://${host}:${port}`;
  return {
    origin,
    baseUrl: origin + API,
    get seen() {
      return state.seen;
    },
    readStats: () => state.readStats(),
    findBilledNanodollars: (id) => state.charges.find(id)?.nanodollars,
    intercept: (interceptor) => void (intercepting = interceptor),
    reset,
    close: () => close(server),
  };
}

// Thousands of clients may connect at the same moment. With Node's default backlog of 511, some would connect a second late.
const BACKLOG = 8192;

function listen(server: Server, { host, port }: Settings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function serveControl(
  req: IncomingMessage,
  res: ServerResponse,
  state: SimulatorState,
  reset: () => void,
): void {
  const endpoint = `${req.method} ${req.url}`;
  req.resume();
  if (endpoint === "POST /__simulator/reset") reset();
  else if (endpoint !== "GET /__simulator/stats") res.statusCode = 404;
  res.setHeader("Content-Type", "application/json");
  res.end(JSON.stringify(endpoint === "GET /__simulator/stats" ? state.readStats() : {}));
}

async function serve(exchange: HttpExchange, settings: Settings, interceptor?: Interceptor): Promise<void> {
  const { method, url } = exchange.seen;
  const [fullPath = "", query] = url.split("?", 2);
  const path = fullPath.startsWith(`${API}/`) ? fullPath.slice(API.length) : "";
  const endpoint = method === "POST" ? findEndpoint(path) : undefined;
  if (endpoint) exchange.formatError = endpoint.formatError;
  else if (path.startsWith("/messages")) exchange.formatError = formatAnthropicError;
  try {
    if (interceptor && endpoint) {
      const body = await exchange.readBody(() => false);
      if (body !== undefined) await interceptor(exchange, body);
    } else if (endpoint) {
      if (authenticate(exchange, settings) !== undefined) await respond(exchange, endpoint);
    } else if (method === "GET") {
      serveGet(exchange, settings, { path, query: new URLSearchParams(query) });
    } else {
      if (authenticate(exchange, settings) !== undefined) exchange.sendError(404);
    }
  } catch (error) {
    // The response shows an error of the simulator itself, because the author of a test looks there first.
    const message = `The simulator failed: ${error instanceof Error ? error.stack : String(error)}`;
    if (exchange.res.headersSent) exchange.res.destroy();
    else exchange.sendError(500, { message });
  }
}

/** Returns the key of a request; sends the refusal and returns undefined if it is not accepted. */
function authenticate(exchange: HttpExchange, { apiKeys, managementKey }: Settings): string | undefined {
  const key = /^Bearer +(.+)$/i.exec(exchange.req.headers.authorization ?? "")?.[1];
  if (key === undefined) exchange.sendError(401);
  else if (apiKeys?.has(key) === false && key !== managementKey)
    exchange.sendError(401, { message: "User not found." });
  else return key;
  return undefined;
}

interface GetRequest {
  readonly path: string;
  readonly query: URLSearchParams;
}

function serveGet(exchange: HttpExchange, settings: Settings, { path, query }: GetRequest): void {
  const entry = findCatalog(path);
  if (entry && (entry.isPublic || authenticate(exchange, settings) !== undefined)) {
    const body = entry.format(query);
    return body === undefined ? exchange.sendError(404) : exchange.sendJson(200, body);
  }
  if (entry) return;
  const key = authenticate(exchange, settings);
  if (key === undefined) return;
  const { charges } = exchange.state;
  if (path === "/key") exchange.sendJson(200, formatKey(key, charges, settings.keyLimitUsd));
  else if (path === "/credits") exchange.sendJson(200, formatCredits(charges, settings.creditsUsd));
  else if (path === "/generation")
    sendGeneration(exchange, query.get("id") ?? "", settings.generationDelayMs);
  else if (path === "/activity" || path === "/keys" || path.startsWith("/keys/")) {
    if (settings.managementKey === undefined || settings.managementKey === key)
      sendToManagementKey(exchange, settings, { path, query });
    else exchange.sendError(403, { message: "Only management keys can perform this operation" });
  } else exchange.sendError(404);
}

function sendToManagementKey(
  exchange: HttpExchange,
  { apiKeys = new Set() }: Settings,
  { path, query }: GetRequest,
): void {
  const { activity } = exchange.state;
  if (path === "/activity") {
    const body = activity.format(query);
    if (body === undefined)
      exchange.sendError(400, { message: "Date must be within the last 30 (completed) UTC days" });
    else exchange.sendJson(200, body);
    return;
  }
  const keys = [...new Set([...apiKeys, ...activity.listKeys()])];
  if (path === "/keys") {
    const page = query.get("offset") === null || query.get("offset") === "0" ? keys : [];
    exchange.sendJson(200, JSON.stringify({ data: page.map(formatAccountKey) }));
    return;
  }
  const key = keys.find((one) => path === `/keys/${hashKey(one)}`);
  if (key === undefined) exchange.sendError(404, { message: "API key not found" });
  else exchange.sendJson(200, JSON.stringify({ data: formatAccountKey(key) }));
}

function sendGeneration(exchange: HttpExchange, id: string, generationDelayMs: number): void {
  const charge = exchange.state.charges.find(id);
  const knownAtMs = charge
    ? charge.endedAtMs + generationDelayMs + charge.generation.recordDelayMs
    : Number.POSITIVE_INFINITY;
  if (charge && Date.now() >= knownAtMs) exchange.sendJson(200, formatGeneration(charge));
  else exchange.sendError(404, { message: `Generation ${id} not found` });
}

function formatCredits({ nanodollars }: Charges, creditsUsd: number): string {
  return JSON.stringify({ data: { total_credits: creditsUsd, total_usage: toUsd(nanodollars) } });
}

function formatKey(key: string, { nanodollars, byokNanodollars }: Charges, limitUsd: number | null): string {
  const usage = toUsd(nanodollars);
  const byokUsage = toUsd(byokNanodollars);
  return JSON.stringify({
    data: {
      label: formatLabel(key),
      creator_user_id: USER_ID,
      limit: limitUsd,
      limit_remaining: limitUsd === null ? null : toUsd(limitUsd * 1e9 - nanodollars),
      limit_reset: null,
      usage,
      usage_daily: usage,
      usage_weekly: usage,
      usage_monthly: usage,
      byok_usage: byokUsage,
      byok_usage_daily: byokUsage,
      byok_usage_weekly: byokUsage,
      byok_usage_monthly: byokUsage,
      include_byok_in_limit: false,
      is_free_tier: false,
      is_management_key: false,
      is_provisioning_key: false,
      expires_at: null,
      rate_limit: { requests: -1, interval: "10s", note: "This field is deprecated and safe to ignore." },
    },
  });
}
