import { describeError, readErrorCode } from "./finding-text.ts";

/** Why a request to OpenRouter failed, and how to mend it. */
export interface UpstreamFailure {
  /** Without a period. */
  readonly text: string;
  readonly remedy: string;
}

/** Causes by the code of the error, each with its remedy. The first match counts. */
const CAUSES: readonly (readonly [code: RegExp, cause: string, remedy: string])[] = [
  [
    /^(?:ENOTFOUND|EAI_)/,
    "the name cannot be resolved",
    "Correct the host name in OPENROUTER_BASE_URL or in the proxy's URL, and the DNS of this machine (/etc/resolv.conf).",
  ],
  [
    /^PROXY_407/,
    "the proxy asks for a password",
    "Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT, with user name and password percent-encoded.",
  ],
  [
    /^PROXY_/,
    "the proxy refuses the tunnel",
    "Allow CONNECT to the host of OPENROUTER_BASE_URL in the proxy, or add the host to NO_PROXY.",
  ],
  [
    /CERT|SELF_SIGNED|ALTNAME|ISSUER|UNABLE_TO_/,
    "the certificate is not trusted",
    "Correct this machine's clock and OPENROUTER_BASE_URL. If a proxy replaces certificates, set NODE_EXTRA_CA_CERTS to the file of its authority.",
  ],
  [
    /SSL|TLS|EPROTO/,
    "TLS failed",
    "Use https:// for a server with TLS and http:// for one without in OPENROUTER_BASE_URL, and look for a firewall that inspects TLS.",
  ],
  [
    /TIMEOUT|ETIMEDOUT/,
    "nothing responds in time",
    "Allow connections to OpenRouter in the firewall, or set HTTPS_PROXY if only a proxy may connect.",
  ],
  [
    /^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)/,
    "the connection is refused",
    "Correct host and port of OPENROUTER_BASE_URL and HTTPS_PROXY, and allow connections in the firewall.",
  ],
];

/** Describes why a request to OpenRouter failed. @param usesProxy whether a proxy may be the cause. */
export function describeFailure(error: unknown, usesProxy: boolean): UpstreamFailure {
  const code = readErrorCode(error instanceof Error ? error.cause : undefined) || readUpstreamCode(error);
  const known = CAUSES.find(([pattern]) => pattern.test(code));
  if (known) return { text: `${known[1]} (${code})`, remedy: known[2] };
  const text =
    code === "" || code === "UPSTREAM_ERROR" ? describeError(error) : `the connection failed (${code})`;
  return {
    text,
    remedy: usesProxy
      ? "Look into the log of the proxy, and try again."
      : "Look for a firewall or a proxy between this machine and OpenRouter, and try again.",
  };
}

/** A timeout of the gateway itself has no cause. */
function readUpstreamCode(error: unknown): string {
  return readErrorCode(error).toUpperCase();
}
