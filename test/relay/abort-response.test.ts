import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { GatewayError } from "../../src/errors.ts";
import { abortResponse, formatErrorEvent } from "../../src/relay/abort-response.ts";
import { RawClient } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait.ts";

const FAR_MORE_THAN_BUFFERS_HOLD = 64 * 1_048_576;

afterEach(() => void vi.useRealTimers());

/** Starts a server that does not respond. @returns its client, and the response, which the test writes. */
async function startResponse(version = "1.1"): Promise<{ client: RawClient; response: ServerResponse }> {
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  const server = createServer((_, response) => resolve(response)).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const client = new RawClient((server.address() as AddressInfo).port);
  client.send(`GET / HTTP/${version}\r\nhost: x\r\n\r\n`);
  return { client, response: await promise };
}

test("closes the connection of an aborted response after 5 s when the client does not read", async () => {
  const { client, response } = await startResponse();
  client.socket.pause();
  response.write(Buffer.alloc(FAR_MORE_THAN_BUFFERS_HOLD));
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  abortResponse(response);
  await new Promise(setImmediate);
  vi.advanceTimersByTime(4_999);
  expect(response.socket?.destroyed).toBe(false);
  vi.advanceTimersByTime(1);
  expect(response.socket?.destroyed ?? true).toBe(true);
});

test("stops the timer of an aborted response when the connection closes", async () => {
  const { client, response } = await startResponse();
  response.write("a");
  const closed = Promise.all([once(client.socket, "close"), once(response.req.socket, "close")]);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  abortResponse(response, "b");
  expect(vi.getTimerCount()).toBe(1);
  await closed;
  expect(vi.getTimerCount()).toBe(0);
  expect(client.readResponse()?.body.toString()).toBe("ab");
  expect(client.readResponse()?.complete).toBe(false);
});

test("sends an HTTP/1.0 client only the written bytes, then resets the connection", async () => {
  const { client, response } = await startResponse("1.0");
  response.write("a");
  await waitUntil(() => client.readResponse()?.body.length === 1, "the first byte");
  abortResponse(response, "b");
  expect((await client.waitForEnd("the aborted response"))?.body.toString()).toBe("ab");
  expect(client.error).toBe("ECONNRESET");
});

test("writes nothing to a response whose connection is closed", async () => {
  const { response } = await startResponse();
  response.write("a");
  response.socket?.destroy();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const written = vi.spyOn(response, "write");
  abortResponse(response, "b");
  expect([response.destroyed, written.mock.calls.length, vi.getTimerCount()]).toEqual([true, 0, 0]);
});

test.each([
  ["upstream_disconnected", 502],
  ["upstream_bad_response", 502],
  ["shutting_down", 503],
  ["upstream_timeout", 504],
] as const)(
  "the error event for %s has a number as its code, and the reason in metadata.reason",
  (reason, code) => {
    expect(formatErrorEvent(new GatewayError(reason, "Why."))).toBe(
      `data: {"error":{"message":"Why.","type":"upstream_error","param":null,"code":${code},"metadata":{"reason":"${reason}"}}}\n\n`,
    );
  },
);
