import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** A caller's id is taken only in this form: it is written into logs and headers. */
const SAFE_TOKEN = /^[\w.-]{1,64}$/;

/** The id of a request, sent back as `x-request-id`: the caller's own if it is a safe token, else a new one. */
export function chooseRequestId(request: Pick<IncomingMessage, "headers">): string {
  const own = request.headers["x-request-id"];
  return typeof own === "string" && SAFE_TOKEN.test(own) ? own : randomUUID();
}
