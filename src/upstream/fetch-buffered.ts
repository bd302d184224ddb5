import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../errors.ts";
import { toUpstreamHeaders } from "../http/headers.ts";
import type { UpstreamCall } from "./call.ts";
import type { Upstream } from "./openrouter.ts";
import type { UpstreamHead } from "./response-head.ts";

/** These responses, unlike a model's, are there at once or not at all. */
const TIMEOUT_MS = 10_000;

/** A whole response of upstream's. */
export interface BufferedResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A request whose response is read whole. */
export interface BufferedRequest {
  /** Path below the base URL, with its query. */
  readonly path: string;
  /** The whole `Authorization` value; undefined sends none. */
  readonly authorization: string | undefined;
  readonly maxBytes: number;
}

/**
 * Makes a request of the gateway's own, and reads the response whole.
 * @throws GatewayError when there is no whole response, or it is longer than it may be.
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
      // Upstream may say that it is closed before it has given a call.
      call?.abort();
      reject(error);
    };
    const late = new GatewayError("upstream_timeout", "OpenRouter did not answer in time.");
    const timer = setTimeout(fail, TIMEOUT_MS, late);
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
            fail(new GatewayError("upstream_error", "OpenRouter's answer is longer than it may be."));
        },
        onEnd: () => {
          clearTimeout(timer);
          // The head always comes before the end.
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
