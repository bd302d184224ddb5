import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/**
 * Starts a server that responds to GET requests with JSON, until the test ends.
 * @param respond returns the body for a path; undefined: the response is a 500.
 * @returns its base URL, and the path and the authorization of each request.
 */
export async function startJsonServer(respond: (path: string) => object | undefined) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.url} ${request.headers.authorization}`);
    const body = respond(request.url ?? "");
    response.writeHead(body ? 200 : 500, { "content-type": "application/json" });
    response.end(JSON.stringify(body ?? {}));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { baseUrl: `http://127.0.0.1:${port}/api/v1`, requests };
}
