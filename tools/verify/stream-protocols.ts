// Constant streams in the formats of OpenRouter's endpoints, besides that of chat completions.
import { readFields } from "../../src/json-values.ts";

/** Words of the first two texts of every stream. */
export const WORDS: readonly [string, string] = ["first-word", "second-word"];

/** The streams of one API. */
export interface StreamProtocol {
  /** Complete events up to the second text of {@link WORDS}. */
  readonly begin: readonly string[];
  /** The events that end a complete response. */
  readonly end: readonly string[];
  /** Formats one event with a text. @param text JSON text, without quotes. */
  readonly formatText: (text: string) => string;
  /** An error event that upstream sends within a stream. */
  readonly errorEvent: string;
  /** A part of the stream with lines besides `data:`; see {@link eventLinesWhy}. */
  readonly eventLines: readonly string[];
  readonly eventLinesWhy: string;
  /** Texts that occur only in a complete stream. */
  readonly endMarks: readonly string[];
  /** Whether an event states an error, as the clients of the API read it. @param data the parsed data of the event. */
  readonly isError: (name: string | undefined, data: unknown) => boolean;
  /** Describes the events that {@link isError} accepts. */
  readonly errorShape: string;
}

const ID = "gen-1767225600-V3r1fyV3r1fyV3r1fy0A";

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

/** Formats an event with a line `event:`. @param data JSON text that begins with its type. */
function formatNamed(name: string, fields: string): string {
  return `event: ${name}\ndata: {"type":"${name}"${fields}}\n\n`;
}

function removeEventLine(event: string): string {
  return event.replace(/^event: .*\n/, "");
}

function formatCompletionChunk(text: string, more = ""): string {
  return `data: {"id":"${ID}","provider":"OpenAI","model":"openai/gpt-4o-mini","object":"text_completion","created":1767225600,"choices":[{"text":"${text}","index":0,"finish_reason":null}]${more}}\n\n`;
}

/** Legacy completions. */
export const COMPLETIONS_STREAM: StreamProtocol = {
  begin: WORDS.map((word) => formatCompletionChunk(word)),
  end: [
    formatCompletionChunk("", `,"usage":{"prompt_tokens":9,"completion_tokens":12,"cost":6e-05}`),
    "data: [DONE]\n\n",
  ],
  formatText: formatCompletionChunk,
  errorEvent: formatCompletionChunk("", `,"error":{"code":502,"message":"Provider disconnected"}`),
  eventLines: [`id: 7\nevent: message\nretry: 3000\n${formatCompletionChunk("named")}`],
  eventLinesWhy: "a gateway that knows only lines with data loses the ids by which a client could resume",
  endMarks: ["[DONE]"],
  isError: (_name, data) => isText(readFields(readFields(data)["error"])["message"]),
  errorShape: "data with error.message",
};

/** Formats an event as recorded from OpenRouter: without a line `event:`. */
function formatResponsesEvent(type: string, fields: string): string {
  return removeEventLine(formatNamed(type, fields));
}

function formatResponse(status: string, more = ""): string {
  return `,"sequence_number":1,"response":{"id":"${ID}","object":"response","model":"openai/gpt-4o-mini","status":"${status}"${more}}`;
}

function formatTextDelta(text: string): string {
  return formatResponsesEvent(
    "response.output_text.delta",
    `,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"${text}","sequence_number":2`,
  );
}

const RESPONSES_END = `,"output":[{"type":"message","id":"msg_1"}],"usage":{"input_tokens":9,"output_tokens":12,"total_tokens":21,"cost":6e-05}`;

/** OpenAI's Responses API. OpenRouter sends `[DONE]` after the last event. */
export const RESPONSES_STREAM: StreamProtocol = {
  begin: [
    formatResponsesEvent("response.created", formatResponse("in_progress")),
    ...WORDS.map(formatTextDelta),
  ],
  end: [
    formatResponsesEvent("response.completed", formatResponse("completed", RESPONSES_END)),
    "data: [DONE]\n\n",
  ],
  formatText: formatTextDelta,
  errorEvent: formatResponsesEvent(
    "response.failed",
    formatResponse("failed", `,"error":{"code":"server_error","message":"Provider disconnected"}`),
  ),
  eventLines: [
    formatNamed("response.output_item.added", `,"output_index":0,"item":{"id":"msg_1"}`),
    formatNamed("response.output_text.delta", `,"delta":"named"`),
  ],
  eventLinesWhy: "OpenAI's own streams have lines `event:`, by which some clients select events",
  endMarks: ["response.completed", "response.incomplete", "[DONE]"],
  // OpenAI's SDKs show the message of `error`, and Codex that of `response.failed`.
  isError: (_name, data) => {
    const { type, message, response } = readFields(data);
    if (type === "response.failed") return isText(readFields(readFields(response)["error"])["message"]);
    return type === "error" && isText(message);
  },
  errorShape: "response.failed with response.error.message, or error with message",
};

function formatMessagesDelta(text: string): string {
  return formatNamed("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"${text}"}`);
}

/** Anthropic's Messages API. Its clients need the lines `event:`, and there is no `[DONE]`. */
export const MESSAGES_STREAM: StreamProtocol = {
  begin: [
    formatNamed(
      "message_start",
      `,"message":{"id":"${ID}","type":"message","role":"assistant","model":"anthropic/claude-sonnet-4.5","content":[],"usage":{"input_tokens":9,"output_tokens":1}}`,
    ),
    formatNamed("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`),
    ...WORDS.map(formatMessagesDelta),
  ],
  end: [
    formatNamed("content_block_stop", `,"index":0`),
    formatNamed(
      "message_delta",
      `,"delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":9,"output_tokens":12,"cost":6e-05}`,
    ),
    formatNamed("message_stop", ""),
  ],
  formatText: formatMessagesDelta,
  errorEvent: formatNamed("error", `,"error":{"type":"overloaded_error","message":"Overloaded"}`),
  eventLines: [formatNamed("ping", ""), `id: 7\nretry: 3000\n${formatMessagesDelta("named")}`],
  eventLinesWhy: "Claude Code and Anthropic's SDKs see nothing in a stream without the lines `event:`",
  endMarks: ["message_stop", "[DONE]"],
  isError: (name, data) => {
    const { type, error } = readFields(data);
    const { type: errorType, message } = readFields(error);
    return name === "error" && type === "error" && isText(errorType) && isText(message);
  },
  errorShape: "event: error with type, error.type and error.message",
};
