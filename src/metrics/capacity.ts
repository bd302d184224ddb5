import type { ClientConnections } from "../http/client-connections.ts";
import type { ShutdownState } from "../http/shutdown.ts";
import type { BodyMemory } from "../limits/body-memory.ts";
import type { InFlight } from "../limits/in-flight.ts";
import type { LogOutput } from "../observability/log-output.ts";
import type { CollectorRegistry } from "./collector-registry.ts";

export interface CapacitySources {
  readonly inFlight: InFlight;
  readonly bodyMemory: BodyMemory;
  readonly clients: ClientConnections;
  readonly shutdown: ShutdownState;
  /** undefined if the log has another destination than standard output. */
  readonly logOutput?: LogOutput | undefined;
}

/** Adds the metrics of what the process serves now, and of what it can serve at most. */
export function registerCapacity(
  collectors: CollectorRegistry,
  { inFlight, bodyMemory, clients, shutdown, logOutput }: CapacitySources,
): void {
  collectors.add({
    name: "capacity",
    metrics: {
      sluice_requests_in_flight: { type: "gauge", help: "Requests to models in flight." },
      sluice_requests_in_flight_limit: { type: "gauge", help: "MAX_IN_FLIGHT." },
      sluice_uploads_in_flight: { type: "gauge", help: "Requests to models whose body is still arriving." },
      sluice_body_memory_bytes: { type: "gauge", help: "Request bodies that are held in memory." },
      sluice_body_memory_limit_bytes: { type: "gauge", help: "BODY_MEMORY_BYTES." },
      sluice_connections: { type: "gauge", help: "Open client connections." },
      sluice_connections_limit: { type: "gauge", help: "Maximum client connections: see MAX_CONNECTIONS." },
      sluice_shutting_down: { type: "gauge", help: "1 from the start of a shutdown, otherwise 0." },
      sluice_log_lines_dropped_total: {
        type: "counter",
        help: "Log lines that could not be written to standard output.",
      },
    },
    read: () => ({
      sluice_requests_in_flight: inFlight.count,
      sluice_requests_in_flight_limit: inFlight.max,
      sluice_uploads_in_flight: inFlight.uploads,
      sluice_body_memory_bytes: bodyMemory.heldBytes,
      sluice_body_memory_limit_bytes: bodyMemory.maxBytes,
      sluice_connections: clients.connections.size,
      sluice_connections_limit: clients.max,
      sluice_shutting_down: Number(shutdown.isShuttingDown),
      sluice_log_lines_dropped_total: logOutput?.droppedLines,
    }),
  });
}
