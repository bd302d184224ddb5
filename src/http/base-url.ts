import type { FastifyRequest } from "fastify";

const API = "/openai/v1";
/** A host name or an address, with or without a port: whatever else a client sends as its host is not repeated. */
const HOST = /^(?<name>[\w.-]{1,253}|\[[\da-f:.]{2,45}\])(?::(?<port>\d{1,5}))?$/i;
const LOOPBACK = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/i;
const HTTP_PORT = "80";

/**
 * The base URL that the client of a request has to use, for messages to people. The scheme is left out where a proxy may
 * stand in between that does not say which one it takes: a wrong `http://` would make people send their keys in the clear.
 */
export function getBaseUrl(request: FastifyRequest): string {
  const host = (request.host as string | undefined) ?? "";
  const { name, port = HTTP_PORT } = HOST.exec(host)?.groups ?? {};
  if (name === undefined) return API;
  // Host and protocol are those that a proxy forwards, if it is trusted; the gateway itself has no TLS.
  if (request.protocol === "https") return `https://${host}${API}`;
  const isDirect = LOOPBACK.test(name) || Number(port) === request.socket.localPort;
  return `${isDirect ? "http://" : ""}${host}${API}`;
}
