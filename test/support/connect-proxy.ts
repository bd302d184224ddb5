import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A forward proxy that supports only CONNECT. */
interface ConnectProxy {
  readonly port: number;
  /** Requested tunnels, in order, as `host:port`. */
  readonly tunnels: readonly string[];
  /** Headers of the last request. */
  readonly lastHeaders: () => IncomingHttpHeaders;
  /** URLs of requests with a method other than CONNECT. */
  readonly forwarded: readonly string[];
}

/**
 * Starts a forward proxy on a free port of this machine.
 * @param targetPort the port to which every tunnel leads, regardless of the requested host.
 * @param refuse if given, called with the client's socket instead of opening a tunnel.
 */
export async function startConnectProxy(
  targetPort: number,
  refuse?: (socket: Socket) => void,
): Promise<ConnectProxy> {
  const tunnels: string[] = [];
  const forwarded: string[] = [];
  let headers: IncomingHttpHeaders = {};
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    forwarded.push(request.url ?? "");
    response.writeHead(400).end();
  });
  server.on("connect", (request, near: Socket) => {
    tunnels.push(request.url ?? "");
    headers = request.headers;
    near.on("error", () => {});
    sockets.add(near);
    if (refuse) return refuse(near);
    const far = connect(targetPort, "127.0.0.1", () => {
      near.write("HTTP/1.1 200 Connection established\r\n\r\n");
      near.pipe(far).pipe(near);
    });
    far.on("error", () => near.destroy());
    sockets.add(far);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, tunnels, forwarded, lastHeaders: () => headers };
}
