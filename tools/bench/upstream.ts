// A minimal OpenRouter: sends the same bytes for every chat completion and uses little CPU time.
import { createServer, type ServerResponse } from "node:http";
import { listen } from "./listen.ts";
import { RESPONSE_HEADERS, PLAIN_RESPONSE, STREAM_RESPONSE } from "./traffic.ts";

const STREAM_FLAG = Buffer.from('"stream":true');

/**
 * Pause between events. Without a pause, a slow proxy would read several events at once and so have less work than a fast one.
 * With it, the gateway and the baseline both read the socket 48 to 50 times per stream.
 */
const EVENT_GAP_MS = 1;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    if (Buffer.concat(chunks).includes(STREAM_FLAG)) sendStream(response);
    else
      response
        .writeHead(200, { ...RESPONSE_HEADERS, "content-type": "application/json" })
        .end(PLAIN_RESPONSE);
  });
});

function sendStream(response: ServerResponse): void {
  response.writeHead(200, {
    ...RESPONSE_HEADERS,
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
  });
  let next = 0;
  const write = (): void => {
    response.write(STREAM_RESPONSE[next++]);
    if (next < STREAM_RESPONSE.length) setTimeout(write, EVENT_GAP_MS);
    else response.end();
  };
  write();
}

listen(server, "/api/v1");
