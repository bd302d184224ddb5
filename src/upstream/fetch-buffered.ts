import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";
import { toUpstreamHeaders } from "../http/headers.ts";
import type { UpstreamCall } from "./call.ts";
import type { Upstream } from "./openrouter.ts";
import type { UpstreamHead } from "./response-head.ts";

/** Total timeout. It can be short, because upstream generates nothing for these responses. */
const TIMEOUT_MS = 10_000;

/** A complete upstream response. */
export interface BufferedResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A request whose response is buffered. */
export interface BufferedRequest {
  /** Path below the base URL, including the query. */
  readonly path: string;
  /** Complete value of `Authorization`; undefined sends no such header. */
  readonly authorization: string | undefined;
  readonly maxBytes: number;
}

/**
 * Sends a GET request on behalf of the gateway itself, and buffers the response.
 * @throws GatewayError if the response is incomplete, takes longer than 10 s or is longer than `maxBytes`.
 */
export function fetchBuffered(
  upstream: Upstream,
  { path, authorization, maxBytes }: BufferedRequest,
): Promise<BufferedResponse> {
  const headers = toUpstreamHeaders({}, { authorization, referer: undefined, title: undefined });
  return new Promise<BufferedResponse>((resolve, reject) => {
    let call: UpstreamCall | undefined;
    const fail = (error: GatewayError): void => {
      clearTimeout(timer);
      // If the upstream is closed, `send` calls `onFailure` before it returns a call.
      call?.abort();
      reject(error);
    };
    const timeoutError = new GatewayError(
      "upstream_timeout",
      `OpenRouter did not respond within ${TIMEOUT_MS / 1_000} s; try again.`,
    );
    const timer = setTimeout(fail, TIMEOUT_MS, timeoutError);
    const chunks: Buffer[] = [];
    let head: UpstreamHead | undefined;
    let bytes = 0;
    call = upstream.send(
      { method: "GET", path, headers },
      {
        onHead: (received) => {
          head = received;
        },
        onData: (chunk) => {
          chunks.push(chunk);
          bytes += chunk.length;
          if (bytes > maxBytes)
            fail(
              new GatewayError("upstream_error", `OpenRouter's response is longer than ${maxBytes} bytes.`),
            );
        },
        onEnd: () => {
          clearTimeout(timer);
          // onHead is always called before onEnd.
          const { status, headers: responseHeaders } = head as UpstreamHead;
          resolve({ status, headers: responseHeaders, body: Buffer.concat(chunks) });
        },
        onFailure: fail,
        onSent: () => {},
        onRetry: () => {},
      },
    );
  });
}
