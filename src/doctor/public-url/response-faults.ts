import { type ErrorCode, isErrorCode } from "../../errors.ts";
import { readFields } from "../../json-values.ts";
import { failed, type Result } from "../finding.ts";
import { describeError, readErrorCode } from "../finding-text.ts";
import type { Observation } from "./http-probe.ts";

/**
 * Returns the code of an error of the gateway; undefined if something else sent the response. The id of the request is no
 * evidence, because a proxy may replace it, or may repeat it in its own errors.
 */
export function readGatewayError({ body }: Observation): ErrorCode | undefined {
  try {
    const { code } = readFields(readFields(JSON.parse(body))["error"]);
    return typeof code === "string" && isErrorCode(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** Explains why a request got no response, an error, or the response of another server. @returns undefined for a stream. */
export function explainFault(observation: Observation): Result | undefined {
  const { status, error, headers, body } = observation;
  if (status === undefined) return explainFailure(error ?? new Error("no response"));
  if (status === 200)
    return headers["content-type"]?.startsWith("text/event-stream") || body.includes('"event":1')
      ? undefined
      : explainForeign(observation);
  if (status >= 300 && status < 400) return explainRedirect(observation);
  const code = readGatewayError(observation);
  return code === undefined ? explainProxyError(observation) : explainGatewayError(status, code);
}

function explainFailure(error: Error): Result {
  const code = readErrorCode(error);
  const finding = `The public URL cannot be reached: ${describeError(error)}.`;
  if (/^(?:ENOTFOUND|EAI_)/.test(code))
    return failed(finding, "Create the DNS record of this name, or correct --url.");
  if (/CERT|SELF_SIGNED|ALTNAME|ISSUER|UNABLE_TO_/.test(code))
    return failed(
      finding,
      "Serve the certificate of this name with its whole chain (ssl_certificate in nginx with fullchain.pem), and renew it if it has expired. For a private authority, set NODE_EXTRA_CA_CERTS.",
    );
  if (/SSL|TLS|EPROTO|HPE_INVALID/.test(code))
    return failed(
      finding,
      "Use https:// for a port with TLS and http:// for one without, and TLS 1.2 or newer.",
    );
  return failed(
    finding,
    "Start the load balancer, open its port in the firewall, and check that it knows the address of the gateway.",
  );
}

function explainForeign({ headers }: Observation): Result {
  const type = headers["content-type"] ?? "no content-type";
  return failed(
    `Something in front of the gateway responds with a document of its own (200, ${type}); the request did not reach a Sluice gateway.`,
    "Correct host and path of --url, such as https://gateway.example.com/openai/v1, and let the proxy forward this path to the gateway.",
  );
}

function explainRedirect({ status, headers }: Observation): Result {
  const target = URL.parse(headers.location ?? "");
  return failed(
    `The public URL redirects (${status}) to ${target ? target.origin + target.pathname : "another location"}. Most clients lose the body or the key of a redirected POST.`,
    "Give clients the final URL, such as https:// instead of http://, and pass it to --url.",
  );
}

function explainGatewayError(status: number, code: string): Result {
  const finding = `The gateway itself responds with ${status} ${code}.`;
  const remedies: Readonly<Record<string, string>> = {
    invalid_api_key:
      "Set SLUICE_KEY to a valid key of this gateway: npm run sluice -- keys create --name doctor.",
    key_role_not_allowed: "Set SLUICE_KEY to a key for clients; this one is for the admin API.",
    unknown_url:
      "Add the base path to --url, such as /openai/v1. A gateway of an older version lacks diagnostics/stream.",
    rate_limit_exceeded: "Wait for a minute, or use a key with a higher limit.",
    concurrency_limit_exceeded: "Wait until the other run of doctor with this key has ended.",
  };
  return failed(
    finding,
    remedies[code] ?? "docs/errors.md explains the code; the log of the gateway has the cause.",
  );
}

function explainProxyError({ status = 0, headers }: Observation): Result {
  const server = typeof headers["server"] === "string" ? ` (server: ${headers["server"]})` : "";
  const finding = `Something in front of the gateway responds with ${status}${server}; the gateway did not.`;
  if (status === 404)
    return failed(
      finding,
      "Correct the path of --url, and let the proxy forward it unchanged, without rewriting it.",
    );
  if (status === 401 || status === 403)
    return failed(
      finding,
      "Let the proxy or firewall pass the path, the header Authorization, and clients that are not browsers.",
    );
  if (status === 502 || status === 503)
    return failed(
      finding,
      "Start the gateway, and correct its address in the proxy. The proxy's health check is GET /readyz.",
    );
  if (status === 504)
    return failed(
      finding,
      "Raise the proxy's timeout: proxy_read_timeout in nginx, timeout server in HAProxy.",
    );
  return failed(finding, "Look into the log of the proxy for this request.");
}
