// The stream of POST /responses.
import { quotePiece } from "../content.ts";
import type { Answer } from "../endpoint.ts";
import { buildError } from "../errors.ts";
import { type Piece, buildDone, buildEvent } from "../pieces.ts";
import type { Fields } from "../request.ts";
import { buildTextPart, listItems, type OutputItem } from "./response-items.ts";

/** Collects events, numbers them, and counts the completion characters sent. */
class EventList {
  readonly pieces: Piece[] = [];
  readonly #named: boolean;
  #chars = 0;

  constructor({ plan }: Answer) {
    this.#named = plan.common.eventLines > 0;
  }

  /** Adds an event; `fields` is the inner part of a JSON object, without `type` and `sequence_number`. */
  addText(type: string, fields: string, chars = 0): void {
    this.#chars += chars;
    const data = `{"type":"${type}",${fields},"sequence_number":${this.pieces.length}}`;
    this.pieces.push(buildEvent(data, this.#chars, this.#named ? type : undefined));
  }

  add(type: string, fields: Fields, chars = 0): void {
    this.addText(type, JSON.stringify(fields).slice(1, -1), chars);
  }
}

/** The events `….added`, the deltas, `….done` of one item. Deltas are serialised once for repeated pieces. */
function addItem(events: EventList, { reply }: Answer, { item, opened }: OutputItem, index: number): void {
  const at = { item_id: item.id, output_index: index };
  const place = JSON.stringify(at).slice(1, -1);
  const isCall = reply.toolCall !== undefined;
  events.add(
    "response.output_item.added",
    { output_index: index, item: opened },
    item["type"] === "function_call" ? reply.toolCall?.name.length : 0,
  );
  if (item["type"] === "reasoning") addSummary(events, reply.reasoning, { ...at, summary_index: 0 });
  else if (isCall) {
    for (const text of reply.pieces) {
      const delta = quotePiece(text, reply.padding);
      events.addText("response.function_call_arguments.delta", `${place},"delta":${delta}`, text.length);
    }
    const { name, text } = { ...reply.toolCall, text: reply.text };
    events.add("response.function_call_arguments.done", { ...at, name, arguments: text });
  } else addMessage(events, reply, { ...at, content_index: 0 });
  events.add("response.output_item.done", { output_index: index, item });
}

function addSummary(events: EventList, texts: readonly string[], at: Fields): void {
  const text = texts.join("");
  events.add("response.reasoning_summary_part.added", { ...at, part: { type: "summary_text", text: "" } });
  for (const delta of texts) {
    events.add("response.reasoning_summary_text.delta", { ...at, delta }, delta.length);
  }
  events.add("response.reasoning_summary_text.done", { ...at, text });
  events.add("response.reasoning_summary_part.done", { ...at, part: { type: "summary_text", text } });
}

function addMessage(events: EventList, { pieces, padding, text }: Answer["reply"], at: Fields): void {
  events.add("response.content_part.added", { ...at, part: buildTextPart("") });
  const place = JSON.stringify(at).slice(1, -1);
  let previous: string | undefined;
  let fields = "";
  for (const piece of pieces) {
    // A flood repeats the same piece thousands of times. They share one string to save memory.
    if (piece !== previous) fields = `${place},"delta":${quotePiece(piece, padding)},"logprobs":[]`;
    previous = piece;
    events.addText("response.output_text.delta", fields, piece.length + padding.length);
  }
  events.add("response.output_text.done", { ...at, text, logprobs: [] });
  events.add("response.content_part.done", { ...at, part: buildTextPart(text) });
}

/**
 * The events of a whole stream, from `response.created` to `[DONE]`.
 * @param opened the response while the model generates
 * @param completed the whole response
 */
export function buildResponseEvents(answer: Answer, opened: Fields, completed: Fields): Piece[] {
  const events = new EventList(answer);
  events.add("response.created", { response: opened });
  events.add("response.in_progress", { response: opened });
  for (const [index, item] of listItems(answer).entries()) addItem(events, answer, item, index);
  events.add("response.completed", { response: completed });
  const last = events.pieces.length - 1;
  const pieces = events.pieces.map((piece, i) => (i === last ? { ...piece, isEnd: true } : piece));
  return [...pieces, buildDone(pieces[last]?.chars ?? 0)];
}

/**
 * The end of a stream that fails: `response.failed`, then `[DONE]`.
 * @param response the response at the time of the failure, with the usage so far
 */
export function buildResponseFailure(
  { plan }: Answer,
  response: Fields,
  sent: readonly Piece[],
  status: number,
): Piece[] {
  const { message } = buildError(status);
  const error = { code: status === 429 ? "rate_limit_exceeded" : "server_error", message };
  const type = "response.failed";
  const number = sent.filter(({ isData }) => isData).length;
  const data = JSON.stringify({
    type,
    response: { ...response, status: "failed", error },
    sequence_number: number,
  });
  const chars = sent.at(-1)?.chars ?? 0;
  return [buildEvent(data, chars, plan.common.eventLines > 0 ? type : undefined), buildDone(chars)];
}
