import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Listens on a free port and prints its URL in the format of the gateway's log line. */
export function listen(server: Server, path: string): void {
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo;
    process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}${path}` })}\n`);
  });
}
