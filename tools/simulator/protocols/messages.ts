// POST /messages: Anthropic's Messages API.
import { computeCosts, stateCost, stateCostDetails } from "../billing.ts";
import { countReplyChars, quotePiece, type Reply } from "../content.ts";
import { type Answer, describeInvalidModel, type Endpoint } from "../endpoint.ts";
import { buildAnthropicError, formatAnthropicError } from "../errors.ts";
import { COMMENT, type Piece, buildEvent } from "../pieces.ts";
import {
  type Fields,
  type FunctionTool,
  type ReceivedRequest,
  joinText,
  readRequest,
  readSchema,
  toFields,
  toList,
} from "../request.ts";
import { chooseTool } from "../tool-calls.ts";

function readTool(body: Fields, messages: readonly Fields[]): FunctionTool | undefined {
  const lastAssistant = messages.findLastIndex(({ role }) => role === "assistant");
  const parts = messages.slice(lastAssistant + 1).flatMap(({ content }) => toList(content).map(toFields));
  if (parts.some(({ type }) => type === "tool_result")) return undefined;
  const tools = toList(body["tools"]).flatMap((tool) => {
    const { type, name, input_schema: parameters } = toFields(tool);
    // A tool of Anthropic's has a dated type and no schema. Only the shell runs at the client.
    const isOffered = parameters !== undefined || String(type).startsWith("bash_");
    return isOffered && typeof name === "string" ? [{ name, parameters }] : [];
  });
  return chooseTool(tools, body["tool_choice"]);
}

function read(body: Fields): ReceivedRequest {
  const messages = toList(body["messages"]).map(toFields);
  const turns = messages.map(({ role, content }) => ({ role, text: joinText(content) }));
  const isComplete = Array.isArray(body["messages"]);
  const missing = isComplete ? undefined : "Invalid request: messages field is required";
  const format = toFields(body["output_config"])["format"] ?? body["output_format"];
  const thinking = toFields(body["thinking"])["type"];
  return {
    ...readRequest(body, missing, [{ role: "system", text: joinText(body["system"]) }, ...turns]),
    tool: readTool(body, messages),
    contentSchema: readSchema(toFields(format)),
    wantsReasoning: thinking === "enabled" || thinking === "adaptive",
  };
}

const UNKNOWN_USAGE = { cache_creation: null, inference_geo: null, service_tier: "standard" };

/** The tokens and the cost after `completionChars` characters of completion, reasoning included. */
function buildUsage({ generation }: Answer, completionChars: number): Fields {
  const costs = computeCosts(generation, completionChars);
  return {
    input_tokens: generation.promptTokens,
    output_tokens: costs.completionTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens_details: null,
    server_tool_use: null,
    ...stateCost(generation, costs),
    ...stateCostDetails(generation, costs),
  };
}

/** A message without content: as it is when the model begins to generate. */
function buildMessage({ generation }: Answer): Fields {
  return {
    id: generation.id,
    type: "message",
    role: "assistant",
    model: generation.model.canonicalSlug,
    content: [],
    container: null,
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    provider: generation.model.provider,
  };
}

function getStopReason({ toolCall }: Reply): string {
  return toolCall === undefined ? "end_turn" : "tool_use";
}

/** A content block: as it is in the end, as a stream opens it, and the deltas between. */
interface Block {
  readonly block: Fields;
  readonly opened: Fields;
  /** characters of completion in `opened` */
  readonly chars: number;
  /** the inner parts of `delta` objects, with the number of completion characters in each */
  readonly deltas: readonly (readonly [fields: string, chars: number])[];
}

const SIGNATURE = Buffer.from("simulated signature").toString("base64");

function buildThinking(texts: readonly string[]): Block {
  const deltas = texts.map(
    (text) => [`"type":"thinking_delta","thinking":${JSON.stringify(text)}`, text.length] as const,
  );
  return {
    block: { type: "thinking", thinking: texts.join(""), signature: SIGNATURE },
    opened: { type: "thinking", thinking: "", signature: "" },
    chars: 0,
    deltas: [...deltas, [`"type":"signature_delta","signature":"${SIGNATURE}"`, 0]],
  };
}

function listBlocks({ reasoning, toolCall, pieces, padding, text }: Reply): Block[] {
  const thinking = reasoning.length > 0 ? [buildThinking(reasoning)] : [];
  const open = toolCall ? `"type":"input_json_delta","partial_json":` : `"type":"text_delta","text":`;
  let previous: string | undefined;
  let fields = "";
  const deltas = pieces.map((piece) => {
    // A flood repeats the same piece thousands of times. They share one string to save memory.
    if (piece !== previous) fields = open + quotePiece(piece, padding);
    previous = piece;
    return [fields, piece.length + padding.length] as const;
  });
  if (toolCall === undefined) {
    const block = { type: "text", text, citations: [] };
    return [...thinking, { block, opened: { ...block, text: "" }, chars: 0, deltas }];
  }
  const { id, name } = toolCall;
  const call = { type: "tool_use", id: `toolu_${id}`, name };
  const block = { ...call, input: JSON.parse(text) as unknown };
  return [...thinking, { block, opened: { ...call, input: {} }, chars: name.length, deltas }];
}

function buildDocument(answer: Answer): string {
  const { reply } = answer;
  return JSON.stringify({
    ...buildMessage(answer),
    content: listBlocks(reply).map(({ block }) => block),
    stop_reason: getStopReason(reply),
    usage: { ...UNKNOWN_USAGE, ...buildUsage(answer, countReplyChars(reply)) },
  });
}

function buildBlockEvents({ opened, deltas, chars }: Block, index: number, charsBefore: number): Piece[] {
  let sent = charsBefore + chars;
  const start = { type: "content_block_start", index, content_block: opened };
  const pieces = [buildEvent(JSON.stringify(start), sent, "content_block_start")];
  let previous: string | undefined;
  let text = "";
  for (const [fields, length] of deltas) {
    if (fields !== previous) {
      const data = `{"type":"content_block_delta","index":${index},"delta":{${fields}}}`;
      ({ text } = buildEvent(data, 0, "content_block_delta"));
    }
    previous = fields;
    sent += length;
    pieces.push({ text, isData: true, chars: sent });
  }
  const stop = JSON.stringify({ type: "content_block_stop", index });
  return [...pieces, buildEvent(stop, sent, "content_block_stop")];
}

const PING = `{"type":"ping"}`;

function buildEvents(answer: Answer): Piece[] {
  const { reply } = answer;
  const { input_tokens: input } = buildUsage(answer, 0);
  const counts = { input_tokens: input, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
  const usage = { ...counts, output_tokens: 0, output_tokens_details: null, server_tool_use: null };
  const message = { ...buildMessage(answer), usage: { ...UNKNOWN_USAGE, ...usage } };
  const pieces = [buildEvent(JSON.stringify({ type: "message_start", message }), 0, "message_start")];
  for (const [index, block] of listBlocks(reply).entries()) {
    const [start, ...rest] = buildBlockEvents(block, index, pieces.at(-1)?.chars ?? 0);
    if (start) pieces.push(start);
    if (start && index === 0) pieces.push(buildEvent(PING, start.chars, "ping"));
    pieces.push(...rest);
  }
  const chars = pieces.at(-1)?.chars ?? 0;
  const stopped = {
    type: "message_delta",
    delta: {
      stop_reason: getStopReason(reply),
      stop_sequence: null,
      stop_details: null,
      container: null,
    },
    usage: buildUsage(answer, chars),
  };
  const stop = buildEvent(`{"type":"message_stop"}`, chars, "message_stop");
  pieces.push(buildEvent(JSON.stringify(stopped), chars, "message_delta"), { ...stop, isEnd: true });
  return pieces;
}

function buildFailure(_: Answer, sent: readonly Piece[], status: number): Piece[] {
  const error = JSON.stringify({ type: "error", error: buildAnthropicError(status) });
  return [buildEvent(error, sent.at(-1)?.chars ?? 0, "error")];
}

/** The endpoint of Anthropic's Messages API. */
export const messages: Endpoint = {
  path: "/messages",
  apiType: "completions",
  idPrefix: "gen",
  formatError: formatAnthropicError,
  describeUnknownModel: describeInvalidModel,
  read,
  buildDocument,
  stream: { comment: COMMENT, buildEvents, buildFailure },
};
