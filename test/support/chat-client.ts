// A client of Node's own HTTP module, for programs whose callers keep connections as real ones do.
import { type Agent, type ClientRequest, request } from "node:http";

/** Where a chat completion is requested, and by whom. */
export interface ChatCall {
  /** false: over a connection of its own. */
  readonly agent: Agent | false;
  readonly port: number;
  readonly secret: string;
  /** By which the gateway, its ledger and the simulator know the request. */
  readonly id?: string;
  /** For bodies that are written in pieces; otherwise Node knows the length. */
  readonly bodyBytes?: number;
}

/** Opens a request for a chat completion on this machine; its body is the caller's to write. */
export function openChatRequest({ agent, port, secret, id, bodyBytes }: ChatCall): ClientRequest {
  return request({
    agent,
    port,
    host: "127.0.0.1",
    method: "POST",
    path: "/openai/v1/chat/completions",
    headers: {
      authorization: `Bearer ${secret}`,
      "content-type": "application/json",
      ...(bodyBytes !== undefined && { "content-length": bodyBytes }),
      ...(id !== undefined && { "x-request-id": id, "x-session-id": id }),
    },
  });
}

/** Whether a body ends as one does that a client can use. @param tail its last characters, or all of it. */
export function endsWhole(tail: string, isStream: boolean): boolean {
  return isStream ? tail.endsWith("data: [DONE]\n\n") : tail.trimEnd().endsWith("}");
}
