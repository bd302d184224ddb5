import { AUTHORIZATION, CHAT_PATH, buildChatBody } from "./chat-request.ts";
import { RawClient, type RawResponse } from "./raw-client.ts";

/** The differences from a valid chat completion request. An undefined header is omitted. */
export interface TestRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string | undefined>;
  readonly body?: string | Buffer;
}

/** Sends one request over a new connection and waits for the complete response. */
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
