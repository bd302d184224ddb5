import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  onRequestAsyncHookHandler,
  onRequestHookHandler,
} from "fastify";
import { sendError } from "../http/send-error.ts";
import { toUpstreamHeaders } from "../http/headers.ts";
import { requireJson } from "../http/raw-json.ts";
import { refuseForbiddenModels } from "../auth/model-policy.ts";
import type { BodyMemory } from "../limits/body-memory.ts";
import { getCallerId } from "../limits/caller-id.ts";
import type { InFlight } from "../limits/in-flight.ts";
import { GatewayError } from "../errors.ts";
import { readSession } from "../http/session.ts";
import type { ModelAliases } from "../request/model-aliases.ts";
import { readModelRequest } from "../request/model-request.ts";
import type { UsageRecorder } from "../metering/usage-recorder.ts";
import type { Reservation } from "../budgets/reservation.ts";
import { createHeadRecorder } from "../relay/head-recorder.ts";
import { Relay } from "../relay/relay.ts";
import type { RelayOptions } from "../relay/relay-options.ts";
import type { EndpointCatalog } from "../upstream/endpoint-catalog.ts";
import type { ModelCatalog } from "../upstream/model-catalog.ts";
import type { Upstream } from "../upstream/openrouter.ts";
import { type AdmissionOptions, admitRequest } from "./admit-request.ts";
import { readEndUser } from "./end-user.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";
import { RELAYED_ENDPOINTS, type RelayedEndpoint } from "./relayed-endpoints.ts";
import { createCostEstimate, type EstimateRequest, isDryRun } from "./cost-estimate.ts";
import type { PriceLists } from "./price-candidates.ts";

const NO_BODY = Buffer.alloc(0);
/** Bytes that a dry run holds per byte of the body while it fetches prices: parsed strings can take two per character. */
const DRY_RUN_EXTRA = 2;

export interface RelayEndpointOptions extends AdmissionOptions {
  /** Hooks that authenticate the request and then apply the limits, before the body is read. */
  readonly accessHooks: onRequestAsyncHookHandler[];
  readonly inFlight: InFlight;
  readonly bodyMemory: BodyMemory;
  readonly upstream: Upstream;
  /** Source of the model prices for a dry run. */
  readonly catalog: ModelCatalog;
  readonly endpoints: EndpointCatalog;
  /** The aliases of the gateway. A key can have its own, which take precedence. */
  readonly aliases: ModelAliases;
  /** Records requests in the ledger; undefined: requests are not recorded. */
  readonly recorder: UsageRecorder | undefined;
  /** Options for keys whose `onDisconnect` is `drain`. For other keys, the relay drains nothing. */
  readonly relay: RelayOptions;
  readonly appUrl: string | undefined;
  readonly appTitle: string | undefined;
}

/** Registers every endpoint that relays the bytes of a request to a model and of its response. */
export function registerRelayedEndpoints(app: FastifyInstance, options: RelayEndpointOptions): void {
  for (const endpoint of RELAYED_ENDPOINTS) {
    const handler = createHandler(endpoint, options);
    for (const basePath of endpoint.basePaths) {
      const url = `${basePath}/${endpoint.path}`;
      rejectOtherMethods(app, url, ["POST"], endpoint.errors);
      app.post(url, {
        config: { errorFormat: endpoint.errors },
        onRequest: [...options.accessHooks, requireJson, createEnterHook(options.inFlight)],
        handler,
      });
    }
  }
}

function createHandler(endpoint: RelayedEndpoint, options: RelayEndpointOptions) {
  const { bodyMemory, upstream, recorder, aliases } = options;
  const relayWithoutDrain: RelayOptions = { ...options.relay, drainBounds: undefined };
  return (request: FastifyRequest, reply: FastifyReply): unknown => {
    const { context, caller } = request;
    const received = (request.body as Buffer | undefined) ?? NO_BODY;
    const call = readModelRequest(received, endpoint.request, aliases, caller.key?.aliases);
    const { body, requestedModel, forwardedModel, stream } = call;
    // Frees the received body early: a stream can take minutes, and a body can have many megabytes.
    request.body = undefined;
    context.endpoint = endpoint.path;
    context.session = readSession(request.headers);
    const endUsers = caller.key?.endUsers;
    if (endUsers)
      context.endUser = readEndUser(endUsers, { headers: request.headers, fields: call.fields, endpoint });
    context.requestedModel = requestedModel;
    context.forwardedModel = forwardedModel;
    context.stream = stream;
    refuseForbiddenModels(caller.key, call);
    if (isDryRun(request.query)) {
      if (!endpoint.hasDryRun) throw createDryRunError();
      const refusal = bodyMemory.hold(context, body.length * DRY_RUN_EXTRA);
      if (refusal) throw refusal;
      return sendEstimate(reply, options, { ...call, headers: request.headers });
    }
    const headers = toUpstreamHeaders(request.headers, {
      authorization: caller.authorization,
      referer: options.appUrl,
      title: options.appTitle,
      prefix: endpoint.forwardsAnthropicHeaders ? "anthropic-" : undefined,
    });
    const path = `/${endpoint.path}${formatFlags(endpoint, request.query)}`;
    const drains = caller.key?.onDisconnect === "drain";
    const relay = new Relay(request, reply, drains ? options.relay : relayWithoutDrain, endpoint.response);
    const start = (): void =>
      relay.start((sink) =>
        upstream.send(
          {
            method: "POST",
            path,
            headers,
            body,
            onBodyReleased: () => bodyMemory.release(context),
            beforeHead: createHeadRecorder(context),
          },
          sink,
        ),
      );
    const begin = (reservation?: Reservation): void => {
      if (!recorder) start();
      else
        recorder.begin(context, (error) => (error ? sendError(request, reply, error) : start()), reservation);
    };
    // Nothing may fail between the reservation and the start, because the reservation would leak.
    const admitted = admitRequest(request, reply, { ...call, endpoint, headers: request.headers }, options);
    if (admitted instanceof Promise) void beginLater(request, reply, { admitted, begin });
    else begin(admitted);
    return undefined;
  };
}

interface WaitingRequest {
  readonly admitted: Promise<Reservation | undefined>;
  readonly begin: (reservation: Reservation | undefined) => void;
}

/** Begins a request when it has been admitted, unless it has ended by then. An ended request would be recorded without end. */
async function beginLater(
  { context }: FastifyRequest,
  reply: FastifyReply,
  { admitted, begin }: WaitingRequest,
): Promise<void> {
  context.stopwatch.pause();
  try {
    const reservation = await admitted.finally(() => context.stopwatch.resume());
    if (context.hasEnded || context.headersSent) reservation?.cancel();
    else begin(reservation);
  } catch (error) {
    reply.send(error);
  }
}

/** Formats the query string of the parameters that are forwarded. */
function formatFlags({ forwardedFlags = [] }: RelayedEndpoint, query: unknown): string {
  const given = (query ?? {}) as Readonly<Record<string, unknown>>;
  const flags = forwardedFlags.filter((name) => given[name] === "true").map((name) => `${name}=true`);
  return flags.length === 0 ? "" : `?${flags.join("&")}`;
}

function createDryRunError(): GatewayError {
  return new GatewayError(
    "invalid_value",
    "Only chat completions have a dry run; remove dryRun to send the request.",
    { param: "dryRun" },
  );
}

/** Creates the hook that admits or refuses a request before its body is read. */
function createEnterHook(inFlight: InFlight): onRequestHookHandler {
  return (request, _reply, done) => {
    request.context.callerId = getCallerId(request);
    inFlight.enter(request.context);
    done();
  };
}

async function sendEstimate(
  reply: FastifyReply,
  prices: PriceLists,
  request: EstimateRequest,
): Promise<FastifyReply> {
  return reply.type("application/json").send(await createCostEstimate(prices, request));
}
