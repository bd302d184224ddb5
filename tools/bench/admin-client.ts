// A worker thread that sends requests to the admin API and reads the responses, so that the measured event loop does not.
import { get } from "node:http";
import { parentPort } from "node:worker_threads";

/** A request to the admin API. */
export interface AdminQuery {
  readonly url: string;
  readonly secret: string;
}

/** The response to a request, and how long it took. */
export interface AdminQueryResult {
  readonly status: number;
  readonly bytes: number;
  readonly ms: number;
  /** The reason why the response is missing or incomplete. */
  readonly error?: string;
}

parentPort?.on("message", ({ url, secret }: AdminQuery) => {
  const startedAt = performance.now();
  let [bytes, status] = [0, 0];
  const done = (error?: Error): void => {
    const result: AdminQueryResult = {
      status,
      bytes,
      ms: performance.now() - startedAt,
      ...(error && { error: error.message }),
    };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no target origin
    parentPort?.postMessage(result);
  };
  get(url, { headers: { authorization: `Bearer ${secret}` }, agent: false }, (response) => {
    status = response.statusCode ?? 0;
    response.on("data", (chunk: Buffer) => (bytes += chunk.length));
    response.once("end", () => done());
    response.once("error", done);
  }).once("error", done);
});
