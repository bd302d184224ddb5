import { createHmac } from "node:crypto";

/** Sends one POST request to the URL of the webhook. */
export interface WebhookEndpoint {
  /** Scheme, host and port of the URL, for log lines. The path and the query may contain a secret. */
  readonly origin: string;
  /**
   * @returns the response without its body.
   * @throws GatewayError if there is no response within 10 s.
   */
  post(body: Buffer, headers: Readonly<Record<string, string>>): Promise<WebhookResponse>;
  /** Closes all connections, including those with requests in flight. */
  close(): Promise<void>;
}

export interface WebhookResponse {
  readonly status: number;
  /** The wait that the receiver requests before a retry; undefined if it requests none. */
  readonly retryAfterMs: number | undefined;
}

/**
 * Returns the headers that identify and sign a delivery by the scheme `v1` of Standard Webhooks 1.0.
 * @param sentAt ms since 1970. It differs for each attempt, so that a receiver can refuse old requests.
 */
export function signWebhook(
  secret: Buffer,
  { id, sentAt, body }: { readonly id: string; readonly sentAt: number; readonly body: Buffer },
): Record<string, string> {
  const timestamp = String(Math.floor(sentAt / 1_000));
  const signature = createHmac("sha256", secret).update(`${id}.${timestamp}.`).update(body).digest("base64");
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${signature}`,
  };
}
