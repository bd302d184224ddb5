import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** One delivery, as the receiver got it. */
export interface ReceivedAlert {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends the response to a delivery. */
export type RespondToAlert = (response: ServerResponse, alert: ReceivedAlert) => void;

/** The secret of the tests: `whsec_` and 32 bytes in base64. */
export const WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

/** Starts an HTTP server that receives alerts, until the test ends. @param respond default: 204. */
export async function startWebhookReceiver(
  respond: RespondToAlert = (response) => void response.writeHead(204).end(),
) {
  const received: ReceivedAlert[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      const alert = { method, url, headers, body: Buffer.concat(chunks).toString() };
      received.push(alert);
      respond(response, alert);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/alerts?team=ops`, origin: `http://127.0.0.1:${port}`, received };
}
