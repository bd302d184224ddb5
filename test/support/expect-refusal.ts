import { GatewayError } from "../../src/errors.ts";
import { readChatRequest } from "./read-chat-request.ts";

/** Returns the error with which `readChatRequest` rejects a body. Fails the test if it accepts the body. */
export function expectRefusal(body: string | Uint8Array): GatewayError {
  try {
    readChatRequest(Buffer.from(body));
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error("the body was accepted");
}
