// POST /chat/completions.
import { countReplyChars, quotePiece, type Reply } from "../content.ts";
import { type Answer, describeInvalidModel, type Endpoint, getCreated } from "../endpoint.ts";
import { formatError } from "../errors.ts";
import { COMMENT } from "../pieces.ts";
import {
  type Fields,
  type FunctionTool,
  type ReceivedRequest,
  joinText,
  readReasoning,
  readRequest,
  readSchema,
  toFields,
  toList,
} from "../request.ts";
import { chooseTool } from "../tool-calls.ts";
import { buildChunks, buildFailedChunks, buildUsage, type ChunkFormat, type Delta } from "./chunks.ts";

function readTool(body: Fields, roles: readonly unknown[]): FunctionTool | undefined {
  if (roles.slice(roles.lastIndexOf("user") + 1).includes("tool")) return undefined;
  const tools = toList(body["tools"]).flatMap((tool) => {
    const { name, parameters } = toFields(toFields(tool)["function"]);
    return typeof name === "string" ? [{ name, parameters }] : [];
  });
  return chooseTool(tools, body["tool_choice"]);
}

function read(body: Fields): ReceivedRequest {
  const messages = toList(body["messages"]).map(toFields);
  const turns = messages.map(({ role, content }) => ({ role, text: joinText(content) }));
  const missing = Array.isArray(body["messages"]) ? undefined : 'Input required: specify "messages"';
  return {
    ...readRequest(body, missing, turns),
    tool: readTool(
      body,
      turns.map(({ role }) => role),
    ),
    contentSchema: readSchema(toFields(body["response_format"])),
    wantsReasoning: readReasoning(body["reasoning"]),
  };
}

const FORMAT: ChunkFormat = {
  object: "chat.completion.chunk",
  emptyChoice: `"delta":{"content":"","role":"assistant"}`,
};

function buildReasoningDetails(text: string): Record<string, unknown>[] {
  return [{ type: "reasoning.text", text, format: "unknown", index: 0 }];
}

function buildDeltas(reply: Reply): Delta[] {
  const deltas: Delta[] = [];
  let chars = 0;
  const add = (fields: string, length: number): void => {
    chars += length;
    deltas.push([fields, chars]);
  };
  for (const text of reply.reasoning) {
    const reasoning = `"reasoning":${JSON.stringify(text)},"reasoning_details":${JSON.stringify(buildReasoningDetails(text))}`;
    add(`"delta":{"content":"","role":"assistant",${reasoning}}`, text.length);
  }
  const { toolCall, padding } = reply;
  if (toolCall !== undefined) {
    const named = `"function":{"name":${JSON.stringify(toolCall.name)},"arguments":""}`;
    const call = `{"index":0,"id":"call_${toolCall.id}","type":"function",${named}}`;
    add(`"delta":{"content":null,"role":"assistant","tool_calls":[${call}]}`, toolCall.name.length);
  }
  let previous: string | undefined;
  let fields = "";
  for (const text of reply.pieces) {
    // A flood repeats the same piece thousands of times. They share one string to save memory.
    if (text !== previous) {
      const quoted = quotePiece(text, padding);
      const calls = `"tool_calls":[{"index":0,"function":{"arguments":${quoted}}}]`;
      fields = toolCall
        ? `"delta":{"content":null,"role":"assistant",${calls}}`
        : `"delta":{"content":${quoted},"role":"assistant"}`;
      previous = text;
    }
    add(fields, text.length + padding.length);
  }
  return deltas;
}

function buildMessage({ toolCall, text, reasoning: parts }: Reply): Record<string, unknown> {
  const reasoning = parts.join("");
  const call = toolCall && { index: 0, id: `call_${toolCall.id}`, type: "function" };
  return {
    role: "assistant",
    content: call ? null : text,
    refusal: null,
    reasoning: reasoning === "" ? null : reasoning,
    ...(reasoning !== "" && { reasoning_details: buildReasoningDetails(reasoning) }),
    ...(call && { tool_calls: [{ ...call, function: { name: toolCall?.name, arguments: text } }] }),
  };
}

function buildDocument({ generation, reply }: Answer): string {
  const { id, model, finishReason, nativeFinishReason } = generation;
  return JSON.stringify({
    id,
    object: "chat.completion",
    created: getCreated(generation),
    model: model.canonicalSlug,
    provider: model.provider,
    system_fingerprint: null,
    service_tier: null,
    choices: [
      {
        index: 0,
        logprobs: null,
        finish_reason: finishReason,
        native_finish_reason: nativeFinishReason,
        message: buildMessage(reply),
      },
    ],
    usage: buildUsage(generation, countReplyChars(reply)),
  });
}

/** The endpoint with messages, tools and reasoning. */
export const chat: Endpoint = {
  path: "/chat/completions",
  apiType: "completions",
  idPrefix: "gen",
  formatError,
  describeUnknownModel: describeInvalidModel,
  read,
  buildDocument,
  stream: {
    comment: COMMENT,
    buildEvents: (answer) => buildChunks(answer, buildDeltas(answer.reply), FORMAT),
    buildFailure: (answer, sent, status) =>
      buildFailedChunks(answer, sent.at(-1)?.chars ?? 0, status, FORMAT),
  },
};
