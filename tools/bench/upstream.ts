// A minimal OpenRouter: sends the same bytes for every chat completion, with as little CPU time as possible.
import { createServer, type ServerResponse } from "node:http";
import { listen } from "./listen.ts";
import { RESPONSE_HEADERS, PLAIN_RESPONSE, STREAM_RESPONSE } from "./traffic.ts";

const ASKS_FOR_STREAM = Buffer.from('"stream":true');

/**
 * Without a gap, a slow proxy would read several events at once, and so have less work than a fast one. With the gap, both
 * proxies read the socket 48 to 50 times per stream.
 */
const EVENT_GAP_MS = 1;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    if (Buffer.concat(chunks).includes(ASKS_FOR_STREAM)) sendStream(response);
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
