// Handles POST /chat/completions: reads the body, chooses the behaviour, and sends and bills the response.
import { type Mistake, PLAIN, type Plan, parseBehaviour } from "./behaviour.ts";
import { type Generation, countTokens } from "./billing.ts";
import { type SimulatedModel, resolveModel } from "./catalog.ts";
import { type Piece, buildDocument, buildStream, prependKeepAlive } from "./completion.ts";
import { type Reply, makeFloodReply, makeReply, makeRandomId } from "./content.ts";
import { writePieces, writePart } from "./delivery.ts";
import { USER_ID, buildError } from "./errors.ts";
import { routeModel } from "./endpoints.ts";
import { type HttpExchange, sleep } from "./http-exchange.ts";
import { countCharsWithin, buildFailingStream } from "./partial-response.ts";
import { type EarlyPlan, findRefusal, refuseEarly } from "./refusals.ts";
import { type ReceivedChat, readChatRequest } from "./request.ts";

/** A response that is ready to be sent. */
interface PreparedResponse {
  readonly generation: Generation;
  readonly pieces: readonly Piece[];
}

const FLOOD_UNITS = 1500;

/** Responds to one chat request. */
export async function respondToChat(exchange: HttpExchange): Promise<void> {
  const header = exchange.req.headers["x-simulate"];
  const requested = typeof header === "string" ? parseBehaviour(header) : undefined;
  if (requested && "name" in requested && requested.name === "early-413")
    return refuseEarly(exchange, requested);
  let early: EarlyPlan | undefined;
  const body = await exchange.readBody((start) => {
    early = requested === undefined ? findEarlyPlan(start) : undefined;
    return early !== undefined;
  });
  if (early) return refuseEarly(exchange, early);
  if (body === undefined) return undefined;
  const parsed = parseJson(body);
  const request = readChatRequest(parsed);
  if (request === undefined) return exchange.sendError(400, { message: "Invalid JSON body" });
  exchange.seen.model = request.model;
  const plan = requested ?? readPlan(request.model);
  const refused = { userId: USER_ID };
  if ("mistake" in plan) return exchange.sendError(400, { ...refused, message: plan.mistake });
  if (!request.hasMessages)
    return exchange.sendError(400, { ...refused, message: 'Input required: specify "messages"' });
  if (request.model === undefined)
    return exchange.sendError(400, { ...refused, message: "No models provided" });
  const model = resolveModel(request.model);
  const message = `${request.model} is not a valid model ID`;
  if (model === undefined) return exchange.sendError(400, { ...refused, message });
  const refusal = findRefusal(exchange, plan);
  if (refusal === undefined)
    return send(
      exchange,
      prepare(request, routeModel(model, parsed as Readonly<Record<string, unknown>>), plan, parsed),
      plan,
    );
  await sleep(plan.common.delayMs);
  return exchange.isOpen ? refusal() : undefined;
}

/** Searches the first bytes of a body for the model `sim/early-413`, whose response is sent before the body is read. */
function findEarlyPlan(start: Buffer): EarlyPlan | undefined {
  if (!start.includes('"sim/early-413')) return undefined;
  const plan = parseBehaviour(/"sim\/(early-413[^"]*)"/.exec(start.toString("latin1"))?.[1] ?? "");
  return "name" in plan && plan.name === "early-413" ? plan : undefined;
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch {
    return undefined;
  }
}

function readPlan(model: string | undefined): Plan | Mistake {
  return model?.startsWith("sim/") ? parseBehaviour(model.slice(4)) : PLAIN;
}

function isStreamed(request: ReceivedChat, plan: Plan): boolean {
  if (plan.name === "sse-for-json") return true;
  return plan.name === "json-for-sse" ? false : request.streamed;
}

type NewGeneration = Pick<Generation, "model" | "streamed" | "recordDelayMs" | "isByok">;

function createGeneration(request: ReceivedChat, reply: Reply, known: NewGeneration): Generation {
  const startedAtMs = Date.now();
  const isCall = reply.toolCall !== undefined;
  return {
    id: `gen-${Math.floor(startedAtMs / 1000)}-${makeRandomId(20)}`,
    ...known,
    requestedModel: request.model ?? known.model.id,
    promptTokens: countTokens(request.promptChars),
    reasoningChars: reply.reasoning.reduce((sum, text) => sum + text.length, 0),
    finishReason: isCall ? "tool_calls" : "stop",
    nativeFinishReason: isCall ? "tool_calls" : "stop",
    startedAtMs,
  };
}

function prepare(request: ReceivedChat, model: SimulatedModel, plan: Plan, body: unknown): PreparedResponse {
  const { common } = plan;
  const streamed = isStreamed(request, plan);
  const reasons = request.wantsReasoning || model.id.includes("deepseek-r1");
  const floods = streamed && plan.name === "flood";
  const reply = floods ? makeFloodReply(plan.own.bytes) : makeReply(request, reasons, common);
  const billing = { recordDelayMs: common.recordMs, isByok: common.byok > 0 };
  const generation = createGeneration(request, reply, { model, streamed, ...billing });
  if (streamed) {
    const echo = plan.name === "debug" || request.echoesBody ? body : undefined;
    const style = { done: plan.name !== "no-done", emptyChoices: plan.name === "empty-choices", echo };
    const pieces = buildStream(generation, reply, common.comments, style);
    return { generation, pieces: restyle(generation, pieces, plan) };
  }
  const keepAlive = { count: common.whitespace, units: 1 };
  if (plan.name === "error-midstream") {
    const document = JSON.stringify({ error: buildError(plan.own.status) });
    // Nothing was generated or charged, but OpenRouter has a generation record of the request.
    return {
      generation: { ...generation, promptTokens: 0 },
      pieces: prependKeepAlive(document, 0, keepAlive),
    };
  }
  if (plan.name === "flood") {
    keepAlive.units = FLOOD_UNITS;
    keepAlive.count = Math.ceil(plan.own.bytes / (FLOOD_UNITS * 11));
  }
  return { generation, pieces: buildDocument(generation, reply, keepAlive) };
}

function restyle(generation: Generation, pieces: readonly Piece[], plan: Plan): readonly Piece[] {
  if (plan.name === "error-midstream") {
    return buildFailingStream(generation, pieces, plan.own.after, plan.own.status);
  }
  if (plan.name !== "crlf") return pieces;
  return pieces.map((piece) => ({ ...piece, text: piece.text.replaceAll("\n", "\r\n") }));
}

function buildHead({ id, streamed }: Generation): string[] {
  const head = ["X-Generation-Id", id];
  return streamed
    ? ["Content-Type", "text/event-stream", "Cache-Control", "no-cache", ...head]
    : ["Content-Type", "application/json", ...head];
}

/** Sends a response, or only its part before the fault of the plan, and bills it. */
async function send(exchange: HttpExchange, response: PreparedResponse, plan: Plan): Promise<void> {
  const { generation, pieces } = response;
  const { charges } = exchange.state;
  const wholeChars = pieces.at(-1)?.chars ?? 0;
  exchange.seen.generationId = generation.id;
  exchange.onCutShort = () => {
    // OpenRouter stops generation when the client of a stream disconnects. It completes and bills a plain request.
    const chars = generation.streamed ? countCharsWithin(pieces, exchange.seen.bytesSent) : wholeChars;
    charges.bill(generation, chars, generation.streamed && exchange.seen.aborted);
  };
  await sleep(plan.common.delayMs);
  if (!exchange.isOpen) return;
  if (plan.name === "close-delimited") exchange.res.useChunkedEncodingByDefault = false;
  exchange.writeHead(200, buildHead(generation));
  if (await breakIfFaulty(exchange, pieces, plan)) return;
  await writePieces(exchange, pieces, plan.common);
  if (!exchange.isOpen) return;
  // Billed before the end is sent, so that a client that has read the end finds the charge.
  exchange.onCutShort = undefined;
  charges.bill(generation, wholeChars, false);
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
