/**
 * Statuses and error codes that report a timeout or a cancelled request. The provider may have started to generate, and its
 * work may be billed. 502 is excluded, because OpenRouter does not charge for a response that ends in an error without output.
 * https://openrouter.ai/docs/features/zero-completion-insurance
 */
const MAY_HAVE_STARTED: ReadonlySet<number> = new Set([408, 499, 504, 522, 524]);

/**
 * Statuses that Cloudflare sends if it could not connect to OpenRouter: connection refused, no route, TLS handshake failed,
 * invalid certificate.
 * https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
 */
const NEVER_REACHED: ReadonlySet<number> = new Set([521, 523, 525, 526]);

/** Whether a provider may have started a request that ended with this status, or with this code in an OpenRouter error. */
export function mayHaveStarted(code: number): boolean {
  return MAY_HAVE_STARTED.has(code);
}

/**
 * Whether a request may have been billed if its response has this status and a body that is not in OpenRouter's shape. Such
 * a response comes from a proxy in front of OpenRouter, which may have lost the response of a completed request.
 */
export function mayHaveBeenBilled(status: number): boolean {
  return mayHaveStarted(status) || (status >= 500 && !NEVER_REACHED.has(status));
}
