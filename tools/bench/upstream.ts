// A minimal OpenRouter: sends the same bytes for every chat completion, with as little CPU time as possible.
import { createServer, type ServerResponse } from "node:http";
import { listen } from "./listen.ts";
import { RESPONSE_HEADERS, PLAIN_RESPONSE, STREAM_RESPONSE } from "./traffic.ts";

const ASKS_FOR_STREAM = Buffer.from('"stream":true');

/**
 * Without a gap, events that a slow proxy has not read yet reach it as one, and the slower of two proxies would have less
 * to do. With it, 48 to 50 reads of the socket per stream were counted in either.
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
