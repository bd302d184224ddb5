import { CALLER_KEY } from "./gateway.ts";

export const CHAT_PATH = "/openai/v1/chat/completions";
export const AUTHORIZATION = { authorization: `Bearer ${CALLER_KEY}` };

/** Builds a small valid chat completion request. `fields` are added to the default fields or replace them. */
export function buildChatBody(fields: Record<string, unknown> = {}): string {
  return JSON.stringify({
    model: "openai/gpt-4o-mini",
    messages: [{ role: "user", content: "Hello" }],
    ...fields,
  });
}
