// A client for test programs. It uses Node's HTTP module, so that it can reuse connections as real clients do.
import { type Agent, type ClientRequest, request } from "node:http";

/** The connection and the identity of a request to a model. */
export interface ChatCall {
  /** The agent; false: a new connection for this request. */
  readonly agent: Agent | false;
  readonly port: number;
  readonly secret: string;
  /** The id of the request in the gateway, its ledger and the simulator. */
  readonly id?: string;
  /** The length of a body that is written in pieces. If undefined, Node sets the length. */
  readonly bodyBytes?: number;
  /** Path of the endpoint below the base path. */
  readonly endpoint?: string;
}

/** Opens a request to this machine, by default a chat completion. The test writes its body. */
export function openChatRequest(call: ChatCall): ClientRequest {
  const { agent, port, secret, id, bodyBytes, endpoint = "chat/completions" } = call;
  return request({
    agent,
    port,
    host: "127.0.0.1",
    method: "POST",
    path: `/openai/v1/${endpoint}`,
    headers: {
      authorization: `Bearer ${secret}`,
      "content-type": "application/json",
      ...(bodyBytes !== undefined && { "content-length": bodyBytes }),
      ...(id !== undefined && { "x-request-id": id, "x-session-id": id }),
    },
  });
}

/** Whether a body ends as a complete response does. @param tail the last characters of the body, or all of it. */
export function hasCompleteEnd(tail: string, isStream: boolean): boolean {
  return isStream ? tail.endsWith("data: [DONE]\n\n") : tail.trimEnd().endsWith("}");
}
