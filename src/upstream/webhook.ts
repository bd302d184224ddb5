import type { WebhookEndpoint, WebhookResponse } from "../alerts/webhook.ts";
import type { UpstreamConfig } from "../config/config.ts";
import { GatewayError } from "../errors.ts";
import { parseRetryAfter } from "../http/retry-after.ts";
import type { UpstreamCall } from "./call.ts";
import { connectUpstream } from "./openrouter.ts";

const CONNECT_TIMEOUT_MS = 5_000;
/** Total timeout of a delivery. */
const TIMEOUT_MS = 10_000;
/** Maximum bytes of a response body that are read, so that the connection can be reused. A longer body is aborted. */
const BODY_MAX_BYTES = 16_384;

/**
 * Opens a pool of connections to the receiver of a webhook. It is in this component because it uses the same client as the
 * requests to OpenRouter: with the proxy, without redirects, and with a retry only if no byte was sent.
 * @param url an http or https URL. @param proxyUrl undefined: without a proxy.
 */
export function connectWebhook(url: string, proxyUrl: string | undefined): WebhookEndpoint {
  const { origin, pathname, search } = new URL(url);
  const config: UpstreamConfig = {
    baseUrl: origin,
    proxyUrl,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    headersTimeoutMs: TIMEOUT_MS,
    idleTimeoutMs: TIMEOUT_MS,
    appUrl: undefined,
    appTitle: undefined,
  };
  const upstream = connectUpstream(config);
  return {
    origin,
    close: () => upstream.close(),
    post: (body, headers) =>
      new Promise<WebhookResponse>((resolve, reject) => {
        let call: UpstreamCall | undefined;
        let bytes = 0;
        const timer = setTimeout(() => {
          // Has no effect if the head has arrived: the response is then complete for this client.
          reject(new GatewayError("upstream_timeout"));
          call?.abort();
        }, TIMEOUT_MS);
        call = upstream.send(
          { method: "POST", path: pathname + search, headers: { ...headers }, body },
          {
            onHead: ({ status, headers: received }) =>
              resolve({ status, retryAfterMs: parseRetryAfter(received) }),
            onData: (chunk) => {
              bytes += chunk.length;
              if (bytes <= BODY_MAX_BYTES) return;
              clearTimeout(timer);
              call?.abort();
            },
            onEnd: () => clearTimeout(timer),
            onFailure: (error) => {
              clearTimeout(timer);
              reject(error);
            },
            onSent: () => {},
            onRetry: () => {},
          },
        );
      }),
  };
}
