// The output items of a response: reasoning, a message, or the call of a function.
import type { Generation } from "../billing.ts";
import type { ToolCall } from "../content.ts";
import type { Answer } from "../endpoint.ts";
import { type Fields, type FunctionTool, toFields, toList } from "../request.ts";

/** The tool that a request offers as `{"type":"local_shell"}`, without a name and a schema. */
export const LOCAL_SHELL: FunctionTool = {
  name: "local_shell",
  parameters: { properties: { command: { type: "array" } } },
};

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

function buildShellItem(callId: string, text: string): OutputItem {
  const { command } = toFields(JSON.parse(text));
  const action = { type: "exec", command, env: {}, timeout_ms: null, user: null, working_directory: null };
  const fields = { id: `lsh_${callId}`, type: "local_shell_call", call_id: `call_${callId}`, action };
  return { item: { ...fields, status: "completed" }, opened: { ...fields, status: "in_progress" } };
}

function buildToolItem({ id, name }: ToolCall, { reply, body }: Answer): OutputItem {
  const isLocalShell =
    name === LOCAL_SHELL.name && toList(body["tools"]).some((tool) => toFields(tool)["type"] === name);
  return isLocalShell ? buildShellItem(id, reply.text) : buildCallItem(id, name, reply.text);
}

/** The items of a response, in the order of its stream. */
export function listItems(answer: Answer): OutputItem[] {
  const { reasoning, toolCall } = answer.reply;
  const reasoned = reasoning.length > 0 ? [buildReasoningItem(answer)] : [];
  const last = toolCall ? buildToolItem(toolCall, answer) : buildMessageItem(answer);
  return [...reasoned, last];
}
