import { GatewayError } from "../../src/errors.ts";
import { readChatRequest } from "../../src/request/chat-request.ts";

/** The error with which a body is refused; fails the test when it is taken. */
export function expectRefusal(body: string | Uint8Array): GatewayError {
  try {
    readChatRequest(Buffer.from(body));
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error("the body was not refused");
}
