import { NO_ALIASES } from "../../src/request/model-aliases.ts";
import { type ModelRequest, readModelRequest } from "../../src/request/model-request.ts";
import { chatCompletionsSchema } from "../../src/request/schemas/chat-completions.ts";

const SHAPE = { schema: chatCompletionsSchema };

/** Reads the body of a chat completion request as the gateway does. Changes the given bytes. */
export function readChatRequest(body: Buffer): ModelRequest {
  return readModelRequest(body, SHAPE, NO_ALIASES);
}
