import type { FastifyRequest } from "fastify";

/** A host name or an IP address, with or without a port. Error messages do not repeat any other value of `Host`. */
const HOST = /^(?<name>[\w.-]{1,253}|\[[\da-f:.]{2,45}\])(?::(?<port>\d{1,5}))?$/i;
const LOOPBACK = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/i;
const HTTP_PORT = "80";

/**
 * Returns the scheme and host that the client of a request has to use, for error messages; empty if they are unknown. The
 * scheme is omitted if the request may have come through a proxy that does not forward its scheme: a wrong `http://` would
 * make users send keys unencrypted.
 */
export function getOrigin(request: FastifyRequest): string {
  const host = (request.host as string | undefined) ?? "";
  const { name, port = HTTP_PORT } = HOST.exec(host)?.groups ?? {};
  if (name === undefined) return "";
  // Fastify takes host and protocol from a trusted proxy's headers. The gateway itself has no TLS.
  if (request.protocol === "https") return `https://${host}`;
  const isDirect = LOOPBACK.test(name) || Number(port) === request.socket.localPort;
  return `${isDirect ? "http://" : ""}${host}`;
}
