// Responses of the model endpoints whose ids are those of providers, not of OpenRouter, and whose usage has no cost.

const COMPLETION_USAGE = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const INPUT_USAGE = { input_tokens: 3, output_tokens: 2 };
const COMPLETION = { model: "a/b", choices: [], usage: COMPLETION_USAGE };
const RESPONSE = { id: "resp_1", object: "response", model: "a/b", output: [] };
const MESSAGE = { id: "msg_1", type: "message", role: "assistant", model: "a/b", content: [] };

const DOCUMENTS: Readonly<Record<string, object>> = {
  "chat/completions": { id: "chatcmpl-1", object: "chat.completion", ...COMPLETION },
  completions: { id: "cmpl-1", object: "text_completion", ...COMPLETION },
  responses: { ...RESPONSE, status: "completed", usage: INPUT_USAGE },
  messages: { ...MESSAGE, stop_reason: "end_turn", usage: INPUT_USAGE },
  embeddings: {
    object: "list",
    data: [],
    model: "a/b",
    usage: { prompt_tokens: 3, total_tokens: 3 },
    id: "emb-1",
  },
  rerank: { id: "rerank-1", model: "a/b", results: [], usage: { total_tokens: 3 } },
};

const EVENTS: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> = {
  "chat/completions": [{ id: "chatcmpl-1", ...COMPLETION }],
  completions: [{ id: "cmpl-1", ...COMPLETION }],
  responses: [
    { type: "response.created", response: { ...RESPONSE, status: "in_progress" } },
    { type: "response.completed", response: DOCUMENTS["responses"] },
  ],
  messages: [
    { type: "message_start", message: { ...MESSAGE, usage: { input_tokens: 3, output_tokens: 0 } } },
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 2 } },
    { type: "message_stop" },
  ],
};

/** Formats a complete response of an endpoint from which its cost cannot be found out. */
export function formatAnonymousResponse(endpoint: string, stream: boolean): string {
  if (!stream) return JSON.stringify(DOCUMENTS[endpoint]);
  const isAnthropic = endpoint === "messages";
  const events = (EVENTS[endpoint] ?? []).map(
    (event) => `${isAnthropic ? `event: ${String(event["type"])}\n` : ""}data: ${JSON.stringify(event)}\n\n`,
  );
  return [...events, ...(isAnthropic ? [] : ["data: [DONE]\n\n"])].join("");
}
