// Handles POST requests to all endpoints: reads the body, chooses the behaviour, and sends and bills the response.
import { type Mistake, PLAIN, type Plan, parseBehaviour } from "./behaviour.ts";
import { computeCosts, type Generation } from "./billing.ts";
import { countReplyChars, makeFloodReply, makeRandomId, makeReply, NO_REPLY, type Reply } from "./content.ts";
import { writePieces, writePart } from "./delivery.ts";
import type { Answer, Endpoint } from "./endpoint.ts";
import { USER_ID } from "./errors.ts";
import { type HttpExchange, sleep } from "./http-exchange.ts";
import { routeModel } from "./model-endpoints.ts";
import { type SimulatedModel, resolveModel } from "./models.ts";
import { countCharsWithin, takeData } from "./partial-response.ts";
import {
  type Piece,
  buildDone,
  buildEvent,
  KEEP_ALIVE_BYTES,
  prependKeepAlive,
  spreadComments,
} from "./pieces.ts";
import { type EarlyPlan, findRefusal, refuseEarly, resolveFlaky } from "./refusals.ts";
import type { Fields, ReceivedRequest } from "./request.ts";

/** A response that is ready to be sent. */
interface PreparedResponse {
  readonly generation: Generation;
  readonly pieces: readonly Piece[];
}

const FLOOD_UNITS = 1500;

/** Responds to one request for an endpoint. */
export async function respond(exchange: HttpExchange, endpoint: Endpoint): Promise<void> {
  const header = exchange.req.headers["x-simulate"];
  const requested = typeof header === "string" ? parseBehaviour(header) : undefined;
  if (requested && "name" in requested && requested.name === "early-413")
    return refuseEarly(exchange, requested);
  let early: EarlyPlan | undefined;
  const text = await exchange.readBody((start) => {
    early = requested === undefined ? findEarlyPlan(start) : undefined;
    return early !== undefined;
  });
  if (early) return refuseEarly(exchange, early);
  if (text === undefined) return undefined;
  const body = parseBody(text);
  if (body === undefined) return exchange.sendError(400, { message: "Invalid JSON body" });
  const request = endpoint.read(body);
  exchange.seen.model = request.model;
  const plan = requested ?? readPlan(request.model);
  const checked = check(endpoint, request, plan);
  if (typeof checked === "string") return exchange.sendError(400, { userId: USER_ID, message: checked });
  const { model } = checked;
  const chosen = resolveFlaky(exchange.state, checked.plan);
  const refusal = findRefusal(exchange, chosen);
  if (refusal === undefined) {
    const routed = routeModel(model, body);
    return send(exchange, prepare(endpoint, { request, body, plan: chosen }, routed), chosen);
  }
  await sleep(chosen.common.delayMs);
  return exchange.isOpen ? refusal() : undefined;
}

/** Searches the first bytes of a body for the model `sim/early-413`, whose response is sent before the body is read. */
function findEarlyPlan(start: Buffer): EarlyPlan | undefined {
  if (!start.includes('"sim/early-413')) return undefined;
  const plan = parseBehaviour(/"sim\/(early-413[^"]*)"/.exec(start.toString("latin1"))?.[1] ?? "");
  return "name" in plan && plan.name === "early-413" ? plan : undefined;
}

function parseBody(text: Buffer): Fields | undefined {
  try {
    const value = JSON.parse(text.toString()) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Fields)
      : undefined;
  } catch {
    return undefined;
  }
}

function readPlan(model: string | undefined): Plan | Mistake {
  return model?.startsWith("sim/") ? parseBehaviour(model.slice(4)) : PLAIN;
}

/** Finds the model of a valid request. Returns the message of the 400 for any other. */
function check(
  endpoint: Endpoint,
  { model: id, missing }: ReceivedRequest,
  plan: Plan | Mistake,
): { readonly model: SimulatedModel; readonly plan: Plan } | string {
  if ("mistake" in plan) return plan.mistake;
  if (missing !== undefined) return missing;
  if (id === undefined) return "No models provided";
  const model = resolveModel(id);
  const output = endpoint.apiType === "completions" ? "text" : endpoint.apiType;
  const isServed = model?.outputs.includes(output) === true || id.startsWith("sim/");
  return model === undefined || !isServed ? endpoint.describeUnknownModel(id) : { model, plan };
}

function isStreamed(request: ReceivedRequest, plan: Plan): boolean {
  if (plan.name === "sse-for-json") return true;
  return plan.name === "json-for-sse" ? false : request.streamed;
}

type Draft = Pick<Answer, "request" | "body" | "plan">;

function createGeneration(
  endpoint: Endpoint,
  draft: Omit<Answer, "generation">,
  model: SimulatedModel,
): Generation {
  const { request, reply, plan } = draft;
  const startedAtMs = Date.now();
  const finishReason = reply.toolCall === undefined ? "stop" : "tool_calls";
  return {
    id: `${endpoint.idPrefix}-${Math.floor(startedAtMs / 1000)}-${makeRandomId(20)}`,
    apiType: endpoint.apiType,
    model,
    requestedModel: request.model ?? model.id,
    streamed: isStreamed(request, plan),
    promptTokens: request.promptTokens,
    searchUnits: request.searchUnits,
    reasoningChars: reply.reasoning.reduce((sum, text) => sum + text.length, 0),
    finishReason,
    nativeFinishReason: finishReason,
    startedAtMs,
    recordDelayMs: plan.common.recordMs,
    isByok: plan.common.byok > 0,
    statesCost: plan.common.cost > 0,
  };
}

function createReply({ stream }: Endpoint, { request, plan }: Draft, model: SimulatedModel): Reply {
  if (stream === undefined) return NO_REPLY;
  if (plan.name === "flood" && isStreamed(request, plan)) return makeFloodReply(plan.own.bytes);
  return makeReply(request, request.wantsReasoning || model.id.includes("deepseek-r1"), plan.common);
}

function prepare(endpoint: Endpoint, draft: Draft, model: SimulatedModel): PreparedResponse {
  const { plan } = draft;
  const reply = createReply(endpoint, draft, model);
  const generation = createGeneration(endpoint, { ...draft, reply }, model);
  const answer = { ...draft, reply, generation };
  if (generation.streamed) return { generation, pieces: restyle(streamPieces(endpoint, answer), plan) };
  if (plan.name === "error-midstream") {
    const document = endpoint.formatError(plan.own.status);
    // Nothing was generated or charged, but OpenRouter has a generation record of the request.
    return {
      generation: { ...generation, promptTokens: 0, searchUnits: 0 },
      pieces: prependKeepAlive(document, 0, { count: plan.common.whitespace, units: 1 }),
    };
  }
  const floods = plan.name === "flood" && Math.ceil(plan.own.bytes / (FLOOD_UNITS * KEEP_ALIVE_BYTES));
  const keepAlive =
    floods === false ? { count: plan.common.whitespace, units: 1 } : { count: floods, units: FLOOD_UNITS };
  const document = endpoint.buildDocument(answer);
  return { generation, pieces: prependKeepAlive(document, countReplyChars(reply), keepAlive) };
}

/** A stream, with the failure that the plan asks for. */
function streamPieces(endpoint: Endpoint, answer: Answer): Piece[] {
  const { plan } = answer;
  const { stream } = endpoint;
  // An endpoint without streams sends its document as the only event, if the plan insists on a stream.
  if (stream === undefined) return [buildEvent(endpoint.buildDocument(answer), 0), buildDone(0)];
  const pieces = spreadComments(stream.buildEvents(answer), stream.comment, plan.common.comments);
  if (plan.name !== "error-midstream") return pieces;
  const { sent } = takeData(pieces, plan.own.after);
  return [...sent, ...stream.buildFailure(answer, sent, plan.own.status)];
}

function restyle(pieces: readonly Piece[], plan: Plan): readonly Piece[] {
  if (plan.name === "no-done") return pieces.filter(({ isEnd }) => isEnd !== true);
  if (plan.name !== "crlf") return pieces;
  return pieces.map((piece) => ({ ...piece, text: piece.text.replaceAll("\n", "\r\n") }));
}

function buildHead({ id, streamed }: Generation, { common }: Plan): string[] {
  const head = common.idHeader > 0 ? ["X-Generation-Id", id] : [];
  return streamed
    ? ["Content-Type", "text/event-stream", "Cache-Control", "no-cache", ...head]
    : ["Content-Type", "application/json", ...head];
}

/** Sends a response, or only its part before the fault of the plan, and bills it. */
async function send(exchange: HttpExchange, response: PreparedResponse, plan: Plan): Promise<void> {
  const { generation, pieces } = response;
  const { seen, state } = exchange;
  const wholeChars = pieces.at(-1)?.chars ?? 0;
  seen.generationId = generation.id;
  state.observer?.onGeneration(seen, computeCosts(generation, wholeChars).nanodollars);
  exchange.onCutShort = () => {
    // OpenRouter stops generation when the client of a stream disconnects. It completes and bills a plain request.
    const completionChars = generation.streamed ? countCharsWithin(pieces, seen.bytesSent) : wholeChars;
    state.bill(seen, generation, { completionChars, cancelled: generation.streamed && seen.aborted });
  };
  await sleep(plan.common.delayMs);
  if (!exchange.isOpen) return;
  if (plan.name === "close-delimited") exchange.res.useChunkedEncodingByDefault = false;
  exchange.writeHead(200, buildHead(generation, plan));
  if (await breakIfFaulty(exchange, pieces, plan)) return;
  await writePieces(exchange, pieces, plan.common);
  if (!exchange.isOpen) return;
  // Billed before the end is sent, so that a client that has read the end finds the charge.
  exchange.onCutShort = undefined;
  state.bill(seen, generation, { completionChars: wholeChars, cancelled: false });
  exchange.end();
}

/**
 * Simulates a fault within a response: sends the part before the fault, then aborts the connection or, for `stall`, waits.
 * @returns false if the plan has no such fault; nothing was sent then.
 */
async function breakIfFaulty(exchange: HttpExchange, pieces: readonly Piece[], plan: Plan): Promise<boolean> {
  if (plan.name === "cut" || plan.name === "reset" || plan.name === "stall") {
    await writePart(exchange, pieces, plan.own, plan.common);
  } else if (plan.name === "close-delimited" && (plan.own.after >= 0 || plan.own.reset > 0)) {
    const { after } = plan.own;
    if (after < 0) await writePieces(exchange, pieces, plan.common);
    else await writePart(exchange, pieces, { after, half: 0 }, plan.common);
  } else {
    return false;
  }
  const resets = plan.name === "reset" || (plan.name === "close-delimited" && plan.own.reset > 0);
  if (plan.name !== "stall") {
    exchange.breakConnection((socket) => (resets ? socket.resetAndDestroy() : socket.destroySoon()));
  }
  return true;
}
