// Creates the output of the simulated model: text, reasoning and tool calls, split into the chunks of a stream.
import { randomUUID } from "node:crypto";
import type { CommonOptions } from "./behaviour.ts";
import { makeInstance } from "./instance.ts";
import type { ReceivedRequest } from "./request.ts";
import { makeArguments } from "./tool-calls.ts";

/** A call of a function. Its arguments are the `text` of the reply. */
export interface ToolCall {
  /** 24 characters; each protocol adds its own prefix */
  readonly id: string;
  readonly name: string;
}

/** A response before it is formatted as chunks or as JSON. */
export interface Reply {
  /** the content, or the arguments of the tool call, in the order of the stream */
  readonly pieces: readonly string[];
  /** follows each piece; plain ASCII that needs no escaping in JSON */
  readonly padding: string;
  /** the pieces with their padding in one string; empty for a flood, which may be longer than any string */
  readonly text: string;
  readonly reasoning: readonly string[];
  readonly toolCall: ToolCall | undefined;
}

/** Returns up to 32 random letters and digits. `randomUUID` is fast because Node caches random bytes for it. */
export function makeRandomId(length: number): string {
  return randomUUID().replaceAll("-", "").slice(0, length);
}

// A response repeats only the beginning of a long prompt: it stays readable, and a longer prompt does not enlarge it.
const MOST_ECHOED_CHARS = 400;
const FILLER = " … und so weiter 🌊 等等";
const REASONING = ["The user wrote something; ", "I shall echo it, with a wave 🌊."];

/** Splits a text into `count` pieces at character boundaries. A short text also gives empty pieces. `count` is at least 1. */
function cutText(text: string, count: number): string[] {
  const characters = Array.from(text);
  const at = (i: number): number => Math.floor((i * characters.length) / count);
  return Array.from({ length: count }, (_, i) => characters.slice(at(i), at(i + 1)).join(""));
}

function buildEcho(lastUserText: string, events: number): string {
  // The slice may split a surrogate pair, and UTF-8 cannot represent an unpaired surrogate.
  const echoed = lastUserText.slice(0, MOST_ECHOED_CHARS).toWellFormed();
  const text = `Echo: ${echoed} — ¡olé! 👋🏽 你好`;
  // A code point has at most two code units, so this length is enough for one code point in each event.
  return text.length < 2 * events ? text + FILLER.repeat(Math.ceil((2 * events) / FILLER.length)) : text;
}

/** Generates the response to a request. The same request and options generate the same text. */
export function makeReply(request: ReceivedRequest, reasons: boolean, common: CommonOptions): Reply {
  const count = Math.max(common.events, 1);
  const reasoning = reasons ? REASONING : [];
  const { tool, contentSchema } = request;
  // Arguments and structured content are JSON, which padding would make invalid.
  if (tool !== undefined || contentSchema !== undefined) {
    const text = JSON.stringify(tool ? makeArguments(tool) : makeInstance(contentSchema));
    const toolCall = tool && { id: makeRandomId(24), name: tool.name };
    return { pieces: cutText(text, count), padding: "", text, reasoning, toolCall };
  }
  const padding = ".".repeat(common.padBytes);
  const pieces = cutText(buildEcho(request.lastUserText, count), count);
  const text = pieces.map((piece) => piece + padding).join("");
  return { pieces, padding, text, reasoning, toolCall: undefined };
}

/** The reply of endpoints that generate no text. */
export const NO_REPLY: Reply = { pieces: [], padding: "", text: "", reasoning: [], toolCall: undefined };

/** Returns the number of completion characters of a whole reply, including its reasoning. */
export function countReplyChars({ pieces, padding, reasoning, toolCall }: Reply): number {
  const texts = [...reasoning, ...pieces, toolCall?.name ?? ""];
  return texts.reduce((sum, text) => sum + text.length, 0) + pieces.length * padding.length;
}

/** Formats a piece of a reply as a JSON string. */
export function quotePiece(piece: string, padding: string): string {
  return `${JSON.stringify(piece).slice(0, -1)}${padding}"`;
}

const FLOOD_PIECE_CHARS = 16 * 1024;

/** Creates a response of at least `bytes` bytes, in pieces of 16 KiB. */
export function makeFloodReply(bytes: number): Reply {
  const pieces = Array.from({ length: Math.ceil(bytes / FLOOD_PIECE_CHARS) }, () => "");
  return { pieces, padding: "~".repeat(FLOOD_PIECE_CHARS), text: "", reasoning: [], toolCall: undefined };
}
