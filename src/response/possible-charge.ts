/**
 * Statuses and codes that report a timeout or a cancelled request: the provider had started, and its work may be billed.
 * A 502 is not among them: OpenRouter does not charge for a response that ended in an error without output.
 * https://openrouter.ai/docs/features/zero-completion-insurance
 */
const MAY_HAVE_STARTED: ReadonlySet<number> = new Set([408, 499, 504, 522, 524]);

/**
 * Statuses with which Cloudflare says that it had no connection to OpenRouter: refused, no route, TLS handshake failed,
 * invalid certificate. https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
 */
const NEVER_REACHED: ReadonlySet<number> = new Set([521, 523, 525, 526]);

/** Whether a status, or the code of an error in OpenRouter's shape, reports a request that a provider may have started. */
export function mayHaveStarted(code: number): boolean {
  return MAY_HAVE_STARTED.has(code);
}

/**
 * Decides whether a request may have been billed that was answered with this status and a body that is not OpenRouter's own:
 * a proxy in front of OpenRouter, which wrote it, may have lost the response of a request that OpenRouter executed.
 */
export function mayHaveBeenBilled(status: number): boolean {
  return mayHaveStarted(status) || (status >= 500 && !NEVER_REACHED.has(status));
}
