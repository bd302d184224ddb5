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
/** What a dry run keeps of a body while it waits for prices: its values as text, at two bytes a character. */
const DRY_RUN_EXTRA = 2;
const URL = "/openai/v1/chat/completions";

export interface ChatCompletionsOptions {
  /** Authorise and limit, in this order, before the body is read. */
  readonly accessHooks: onRequestAsyncHookHandler[];
  readonly inFlight: InFlight;
  readonly bodyMemory: BodyMemory;
  readonly upstream: Upstream;
  /** Have the prices by which a dry run is estimated. */
  readonly catalog: ModelCatalog;
  readonly endpoints: EndpointCatalog;
  /** Where requests are accounted for; undefined: nowhere. */
  readonly recorder: UsageRecorder | undefined;
  /** For keys that drain; for others nothing is drained. */
  readonly relay: RelayOptions;
  readonly appUrl: string | undefined;
  readonly appTitle: string | undefined;
}

/** `POST /openai/v1/chat/completions`: the caller's bytes to OpenRouter, OpenRouter's bytes to the caller. */
export function registerChatCompletions(app: FastifyInstance, options: ChatCompletionsOptions): void {
  const { accessHooks, inFlight, bodyMemory, upstream, recorder, appUrl, appTitle } = options;
  const cancelling: RelayOptions = { ...options.relay, drainBounds: undefined };
  rejectOtherMethods(app, URL, ["POST"]);
  app.post(URL, {
    onRequest: [...accessHooks, requireJson, createEnterHook(inFlight)],
    handler: (request, reply) => {
      const { context, caller } = request;
      const chat = readChatRequest((request.body as Buffer | undefined) ?? NO_BODY);
      const { body, requestedModel, forwardedModel, stream } = chat;
      // A stream can live for long, and a body can have many megabytes.
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
      const relay = new Relay(request, reply, drains ? options.relay : cancelling);
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

/** Makes the hook that lets a request in, or refuses it, before its body is read. */
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
