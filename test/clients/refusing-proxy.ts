import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { onTestFinished } from "vitest";

/** An HTTP proxy that connects to nothing. */
export interface RefusingProxy {
  readonly url: string;
  /** The request lines that it received, such as `CONNECT example.com:443 HTTP/1.1`. */
  readonly requested: readonly string[];
}

/** Starts a proxy that answers every request with 403. An application that uses it reaches no other host. */
export async function startRefusingProxy(): Promise<RefusingProxy> {
  const requested: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => {
      requested.push(data.toString("latin1").split("\r\n", 1)[0] ?? "");
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requested };
}
