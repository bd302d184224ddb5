import { connect } from "node:net";
import { once } from "node:events";
import { waitFor } from "../support/wait.ts";

const PATH = "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n";
const JSON_TYPE = "content-type: application/json\r\n";

/** Raw requests that the gateway must not forward. `SECRET` is replaced by the key. */
const BROKEN: readonly string[] = [
  `${PATH}authorization: Bearer SECRET\r\n${JSON_TYPE}content-length: 9\r\n\r\n{"model":`,
  `${PATH}authorization: Bearer SECRET\r\n${JSON_TYPE}content-length: 15\r\n\r\n{"messages": 1}`,
  `${PATH}authorization: Bearer SECRET\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n{}`,
  `${PATH}authorization: Bearer SECRET\r\n${JSON_TYPE}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`,
  `${PATH}host: other\r\nauthorization: Bearer SECRET\r\n${JSON_TYPE}content-length: 2\r\n\r\n{}`,
  `${PATH}x-long: ${"x".repeat(20_000)}\r\n\r\n`,
  `${PATH}authorization: Bearer SECRET\r\n${JSON_TYPE}transfer-encoding: chunked\r\n\r\nzz\r\n`,
  "\u0016\u0003\u0001 this is not HTTP\r\n\r\n",
  `GET /openai/v1/nothing HTTP/1.1\r\nhost: gateway\r\n\r\n`,
  // The client disconnects in the middle of the body.
  `${PATH}authorization: Bearer SECRET\r\n${JSON_TYPE}content-length: 100000\r\n\r\n{"model":`,
];
const WAIT_MS = 300;
const END_DEADLINE_MS = 10_000;

/**
 * Sends a broken request, reads the response and disconnects.
 * @param index any number; it selects the request. @returns the status of the response; 0 if there was none.
 */
export async function sendBroken(port: number, secret: string, index: number): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")));
  socket.on("error", () => {});
  const closed = once(socket, "close").catch(() => {});
  socket.write((BROKEN[index % BROKEN.length] ?? "").replace("SECRET", secret), "latin1");
  const timer = setTimeout(() => socket.destroy(), WAIT_MS);
  await waitFor(closed, "the end of a broken request", END_DEADLINE_MS);
  clearTimeout(timer);
  return Number(/^HTTP\/1\.1 (\d+)/.exec(received)?.[1] ?? 0);
}
