import type { FastifyInstance, FastifyReply, onRequestAsyncHookHandler, onRequestHookHandler } from "fastify";
import { sendError } from "../http/send-error.ts";
import { toUpstreamHeaders } from "../http/headers.ts";
import { requireJson } from "../http/raw-json.ts";
import { refuseForbiddenModels } from "../auth/model-policy.ts";
import type { BodyMemory } from "../limits/body-memory.ts";
import { getCallerId } from "../limits/caller-id.ts";
import type { InFlight } from "../limits/in-flight.ts";
import { readChatRequest } from "../request/chat-request.ts";
import type { UsageRecorder } from "../metering/usage-recorder.ts";
import { createHeadRecorder } from "../relay/head-recorder.ts";
import { Relay } from "../relay/relay.ts";
import type { RelayOptions } from "../relay/relay-options.ts";
import type { EndpointCatalog } from "../upstream/endpoint-catalog.ts";
import type { ModelCatalog } from "../upstream/model-catalog.ts";
import type { Upstream } from "../upstream/openrouter.ts";
import { rejectOtherMethods } from "./method-not-allowed.ts";
import { createCostEstimate, type EstimateRequest, isDryRun, type PriceLists } from "./cost-estimate.ts";

const NO_BODY = Buffer.alloc(0);
/** Bytes that a dry run holds per byte of the body while it fetches prices: parsed strings can take two per character. */
const DRY_RUN_EXTRA = 2;
const URL = "/openai/v1/chat/completions";

export interface ChatCompletionsOptions {
  /** Hooks that authenticate the request and then apply the limits, before the body is read. */
  readonly accessHooks: onRequestAsyncHookHandler[];
  readonly inFlight: InFlight;
  readonly bodyMemory: BodyMemory;
  readonly upstream: Upstream;
  /** Source of the model prices for a dry run. */
  readonly catalog: ModelCatalog;
  readonly endpoints: EndpointCatalog;
  /** Records requests in the ledger; undefined: requests are not recorded. */
  readonly recorder: UsageRecorder | undefined;
  /** Options for keys whose `onDisconnect` is `drain`. For other keys, the relay drains nothing. */
  readonly relay: RelayOptions;
  readonly appUrl: string | undefined;
  readonly appTitle: string | undefined;
}

/** Registers `POST /openai/v1/chat/completions`, which relays the bytes of the request and of the response. */
export function registerChatCompletions(app: FastifyInstance, options: ChatCompletionsOptions): void {
  const { accessHooks, inFlight, bodyMemory, upstream, recorder, appUrl, appTitle } = options;
  const relayWithoutDrain: RelayOptions = { ...options.relay, drainBounds: undefined };
  rejectOtherMethods(app, URL, ["POST"]);
  app.post(URL, {
    onRequest: [...accessHooks, requireJson, createEnterHook(inFlight)],
    handler: (request, reply) => {
      const { context, caller } = request;
      const chat = readChatRequest((request.body as Buffer | undefined) ?? NO_BODY);
      const { body, requestedModel, forwardedModel, stream } = chat;
      // Frees the received body early: a stream can take minutes, and a body can have many megabytes.
      request.body = undefined;
      context.requestedModel = requestedModel;
      context.forwardedModel = forwardedModel;
      context.stream = stream;
      refuseForbiddenModels(caller.key, chat);
      if (isDryRun(request.query)) {
        const refusal = bodyMemory.hold(context, body.length * DRY_RUN_EXTRA);
        if (refusal) throw refusal;
        return sendEstimate(reply, options, { ...chat, headers: request.headers });
      }
      const headers = toUpstreamHeaders(request.headers, {
        authorization: caller.authorization,
        referer: appUrl,
        title: appTitle,
      });
      const drains = caller.key?.onDisconnect === "drain";
      const relay = new Relay(request, reply, drains ? options.relay : relayWithoutDrain);
      const start = (): void =>
        relay.start((sink) =>
          upstream.send(
            {
              method: "POST",
              path: "/chat/completions",
              headers,
              body,
              onBodyReleased: () => bodyMemory.release(context),
              beforeHead: createHeadRecorder(context),
            },
            sink,
          ),
        );
      if (!recorder) start();
      else recorder.begin(context, (error) => (error ? sendError(request, reply, error) : start()));
      return undefined;
    },
  });
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
