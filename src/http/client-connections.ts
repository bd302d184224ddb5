import type { Server } from "node:http";
import type { Logger } from "pino";
import type { Config } from "../config/config.ts";
import { limitConnections } from "./connection-limit.ts";
import { Connections } from "./connections.ts";
import { computeMaxConnections, getDefaultMaxConnections, readOpenFilesLimit } from "./descriptor-limit.ts";
import { closeStalledClients } from "./stalled-clients.ts";
import { closeVanishedClients } from "./vanished-clients.ts";

/** The open client connections of the gateway, and how many there may be. */
export interface ClientConnections {
  readonly connections: Connections;
  readonly max: number;
}

/**
 * Limits, on all routes, the number of client connections. Also disconnects clients that stop reading their response, and
 * clients whose network was lost.
 */
export function guardConnections(
  server: Server,
  { maxConnections, clientStallTimeoutMs }: Config,
  logger: Logger,
): ClientConnections {
  const openFiles = readOpenFilesLimit();
  const max = maxConnections ?? getDefaultMaxConnections(openFiles);
  if (openFiles !== undefined && max > computeMaxConnections(openFiles)) {
    logger.warn(
      { max_connections: max, open_files_limit: openFiles, fitting: computeMaxConnections(openFiles) },
      "connections: MAX_CONNECTIONS exceeds the open files limit",
    );
  }
  const connections = new Connections(server);
  limitConnections(server, connections, max, ({ dropped, idleClosed, acceptErrors }) =>
    logger.warn(
      { dropped, idle_closed: idleClosed, accept_errors: acceptErrors, max_connections: max },
      "connections: limit reached, closed connections",
    ),
  );
  closeStalledClients(server, connections, clientStallTimeoutMs);
  closeVanishedClients(server, connections, (error) =>
    logger.warn({ err: error }, "connections: TCP table unreadable, vanished clients are disconnected late"),
  );
  return { connections, max };
}
