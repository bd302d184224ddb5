// The output items of a response: reasoning, a message, or the call of a function.
import type { Generation } from "../billing.ts";
import type { Answer } from "../endpoint.ts";
import { type Fields, toList } from "../request.ts";

/** One item of a response's output. */
export interface OutputItem {
  /** the item as it is when it is complete */
  readonly item: Fields & { readonly id: string };
  /** the item as a stream shows it before its content */
  readonly opened: Fields;
}

/** The random part of a generation's id, which its items have too. */
function getSuffix({ id }: Generation): string {
  return id.slice(id.lastIndexOf("-") + 1);
}

function buildReasoningItem({ reply, generation, body }: Answer): OutputItem {
  const id = `rs_${getSuffix(generation)}`;
  const text = reply.reasoning.join("");
  const isEncrypted = toList(body["include"]).includes("reasoning.encrypted_content");
  const item = {
    id,
    type: "reasoning",
    status: "completed",
    summary: [{ type: "summary_text", text }],
    ...(isEncrypted && { encrypted_content: Buffer.from(text).toString("base64"), format: "unknown" }),
  };
  return { item, opened: { id, type: "reasoning", status: "in_progress", summary: [] } };
}

/** The content part of a message with this text. */
export function buildTextPart(text: string): Fields {
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

function buildMessageItem({ reply, generation }: Answer): OutputItem {
  const id = `msg_${getSuffix(generation)}`;
  const fields = { id, type: "message", role: "assistant" };
  return {
    item: { ...fields, status: "completed", content: [buildTextPart(reply.text)] },
    opened: { ...fields, status: "in_progress", content: [] },
  };
}

function buildCallItem(callId: string, name: string, text: string): OutputItem {
  const fields = { id: `fc_${callId}`, type: "function_call", call_id: `call_${callId}`, name };
  return {
    item: { ...fields, arguments: text, status: "completed" },
    opened: { ...fields, arguments: "", status: "in_progress" },
  };
}

/** The items of a response, in the order of its stream. */
export function listItems(answer: Answer): OutputItem[] {
  const { reasoning, toolCall, text } = answer.reply;
  const reasoned = reasoning.length > 0 ? [buildReasoningItem(answer)] : [];
  const last = toolCall ? buildCallItem(toolCall.id, toolCall.name, text) : buildMessageItem(answer);
  return [...reasoned, last];
}
