import { onTestFinished } from "vitest";
import type { CallerKey } from "../../src/auth/caller-key.ts";
import { buildChatBody, CHAT_PATH } from "./chat-request.ts";
import type { LogRecord } from "./gateway.ts";
import { startLimitedApp } from "./limited-app.ts";
import { RawClient, type RawResponse } from "./raw-client.ts";
import { sendRequest, type TestRequest } from "./send-request.ts";
import { waitUntil } from "./wait.ts";

/** A gateway whose keys have limits. */
export interface LimitedGateway {
  readonly port: number;
  readonly logs: readonly LogRecord[];
  /** Sends a chat completion with the key of this name. */
  call(name: string, request?: TestRequest): Promise<RawResponse>;
  /** Begins a streamed chat completion with the key of this name. @returns its connection. */
  openStream(name: string, fields?: Record<string, unknown>): Promise<RawClient>;
  /** Whether Redis is connected. */
  isReady(): Promise<boolean>;
}

/** Returns the `Authorization` header of a key. */
export const authorize = (name: string): { authorization: string } => ({
  authorization: `Bearer sk-${name}`,
});

/** Creates functions that send requests to a gateway with limited keys. */
export function connectTo(port: number): Omit<LimitedGateway, "port" | "logs"> {
  return {
    call: (name, request = {}) =>
      sendRequest(port, { ...request, headers: { ...authorize(name), ...request.headers } }),
    async openStream(name, fields = {}) {
      const client = new RawClient(port);
      client.post(CHAT_PATH, buildChatBody({ stream: true, ...fields }), authorize(name));
      await waitUntil(() => client.readResponse(), "a stream");
      return client;
    },
    async isReady() {
      const { body } = await sendRequest(port, { method: "GET", path: "/readyz", body: "" });
      return (JSON.parse(body.toString()) as { status: string }).status === "ready";
    },
  };
}

/** Starts a gateway with these keys in front of an upstream, on a free port. It stops when the test ends. */
export async function startLimitedGateway(
  upstreamBaseUrl: string,
  keys: readonly CallerKey[],
  env: Record<string, string> = {},
): Promise<LimitedGateway> {
  const logs: LogRecord[] = [];
  const write = (line: string): void => void logs.push(JSON.parse(line) as LogRecord);
  const app = await startLimitedApp(keys, { OPENROUTER_BASE_URL: upstreamBaseUrl, ...env }, write);
  onTestFinished(() => app.stop());
  return { port: app.port, logs, ...connectTo(app.port) };
}
