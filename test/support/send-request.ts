import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "./chat-request.ts";
import { RawClient, type RawResponse } from "./raw-client.ts";

/** A request as it differs from a valid chat completion; a header that is undefined is left out. */
export interface TestRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string | undefined>;
  readonly body?: string | Buffer;
}

/** Sends one request over a connection of its own and waits for the whole answer. */
export async function sendRequest(
  port: number,
  { method = "POST", path = CHAT_PATH, headers = {}, body = buildChatBody() }: TestRequest = {},
): Promise<RawResponse> {
  const all = {
    host: "gateway",
    "content-type": "application/json",
    ...AUTHORIZATION,
    "content-length": String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== undefined);
  const client = new RawClient(port);
  client.send(
    `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
  );
  client.send(body);
  return client.waitForResponse(`${method} ${path}`);
}
