// A minimal proxy in Node, as the baseline of CPU time: node:http and an undici pool, without checks and without a log.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Pool, type Dispatcher } from "undici";
import { listen } from "./listen.ts";
import { CHAT_PATH } from "./traffic.ts";

const upstream = new URL(process.env["UPSTREAM_URL"] ?? "");
const pool = new Pool(upstream.origin, { allowH2: false, pipelining: 1 });
const path = upstream.pathname + CHAT_PATH;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => forward(request, Buffer.concat(chunks), response));
});

function forward(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
  const { "content-type": type = "", authorization = "" } = request.headers;
  const headers = { "content-type": type, authorization };
  pool.dispatch({ method: "POST", path, headers, body }, relayTo(response));
}

function relayTo(response: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart() {},
    onResponseStart(_controller, status, headers) {
      response.writeHead(status, headers);
    },
    onResponseData(controller, chunk) {
      if (response.write(chunk)) return;
      controller.pause();
      response.once("drain", () => controller.resume());
    },
    onResponseEnd() {
      response.end();
    },
    onResponseError() {
      response.destroy();
    },
  };
}

listen(server, "");
