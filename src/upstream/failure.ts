import { GatewayError, type ErrorCode } from "../errors.ts";

/** undici gives the status with which a proxy refused a tunnel in the message alone. */
const PROXY_REFUSAL = /^Proxy response \((\d{3})\)/;

/** How far a request had come when it failed. */
export interface Progress {
  /** undici had a connection and began to write: the request may have been received, and billed. */
  readonly sent: boolean;
}

const MESSAGES = {
  upstream_unreachable: "OpenRouter could not be reached; nothing was sent, so it is safe to try again.",
  upstream_timeout: "OpenRouter was silent for too long; the request may have been billed.",
  upstream_bad_response: "OpenRouter's answer could not be understood; the request may have been billed.",
  upstream_disconnected:
    "OpenRouter closed the connection before its answer was complete; the request may have been billed.",
} as const satisfies Partial<Record<ErrorCode, string>>;

const TIMEOUTS = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);
const UNREADABLE = new Set([
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_EXCEEDED_MAX_SIZE",
  "UND_ERR_INVALID_ARG",
]);

/**
 * What an undici error means to a caller. The code of the error is not enough: a failed TLS handshake is ECONNRESET just
 * as a request that was cut.
 */
export function toGatewayError(error: Error, progress: Progress): GatewayError {
  const code = progress.sent ? codeAfterSending(error) : "upstream_unreachable";
  return new GatewayError(code, MESSAGES[code], { cause: withProxyStatus(error) });
}

/** The log names an error by its code: that of a refused tunnel would say no more than that something was aborted. */
function withProxyStatus(error: Error): Error {
  const status = PROXY_REFUSAL.exec(error.message)?.[1];
  return status === undefined ? error : Object.assign(new Error(error.message), { code: `PROXY_${status}` });
}

function codeAfterSending(error: Error): keyof typeof MESSAGES {
  const code = getErrorCode(error);
  if (TIMEOUTS.has(code)) return "upstream_timeout";
  // HTTPParserError has no code of its own; "bad response" is a SocketError for an unasked 100 or 101.
  if (UNREADABLE.has(code) || error.name === "HTTPParserError" || error.message.startsWith("bad ")) {
    return "upstream_bad_response";
  }
  return "upstream_disconnected";
}

/** Whether a failed connection may succeed when tried again; a certificate or a proxy's password that is wrong stays wrong. */
export function isRetryable(error: Error): boolean {
  if (PROXY_REFUSAL.exec(error.message)?.[1]?.startsWith("4")) return false;
  return !/CERT|TLS|SSL|SELF_SIGNED|ALTNAME|ISSUER|UND_ERR_(DESTROYED|CLOSED|INVALID_ARG)/.test(
    getErrorCode(error),
  );
}

/** The system's or undici's code of an error, or nothing. */
function getErrorCode(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : "";
}
