import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Accepted form of a client's request id, which is written to logs and headers. */
const SAFE_TOKEN = /^[\w.-]{1,64}$/;

/** Returns the id of a request, for logs and `x-request-id`: the client's id if it is a safe token, else a new one. */
export function chooseRequestId(request: Pick<IncomingMessage, "headers">): string {
  const own = request.headers["x-request-id"];
  return typeof own === "string" && SAFE_TOKEN.test(own) ? own : randomUUID();
}
