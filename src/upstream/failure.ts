import { GatewayError } from "../errors.ts";

/** Matches undici's message for a tunnel that the proxy refused. Only this message contains the proxy's status. */
const PROXY_REFUSAL = /^Proxy response \((\d{3})\)/;

const TIMEOUTS = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);
const UNREADABLE = new Set([
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_HEADERS_OVERFLOW",
  "UND_ERR_RES_EXCEEDED_MAX_SIZE",
  "UND_ERR_INVALID_ARG",
]);

/**
 * Converts an undici error to the error for the client. The code of the error alone is ambiguous: ECONNRESET can mean a
 * failed TLS handshake, before anything was sent, or a lost request.
 * @param wasSent whether undici began to write the request. If so, OpenRouter may have received and billed it.
 */
export function toUpstreamError(error: Error, wasSent: boolean): GatewayError {
  const code = wasSent ? classifySentFailure(error) : "upstream_unreachable";
  return new GatewayError(code, { cause: withProxyStatus(error) });
}

/** Puts the proxy's status into the error code, which the log shows. undici's code states only that the request was aborted. */
function withProxyStatus(error: Error): Error {
  const status = PROXY_REFUSAL.exec(error.message)?.[1];
  return status === undefined ? error : Object.assign(new Error(error.message), { code: `PROXY_${status}` });
}

function classifySentFailure(
  error: Error,
): "upstream_timeout" | "upstream_bad_response" | "upstream_disconnected" {
  const code = getErrorCode(error);
  if (TIMEOUTS.has(code)) return "upstream_timeout";
  // HTTPParserError has no fixed code; "bad response" is a SocketError for an unexpected 100 or 101.
  if (UNREADABLE.has(code) || error.name === "HTTPParserError" || error.message.startsWith("bad ")) {
    return "upstream_bad_response";
  }
  return "upstream_disconnected";
}

/** Whether a retry of a failed connection may succeed. It cannot if a certificate is invalid or a proxy password is wrong. */
export function isRetryable(error: Error): boolean {
  if (PROXY_REFUSAL.exec(error.message)?.[1]?.startsWith("4")) return false;
  return !/CERT|TLS|SSL|SELF_SIGNED|ALTNAME|ISSUER|UND_ERR_(DESTROYED|CLOSED|INVALID_ARG)/.test(
    getErrorCode(error),
  );
}

/** Returns the code of a system or undici error, or an empty string. */
function getErrorCode(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : "";
}
