import { Gauge, type Registry } from "prom-client";
import type { BodyMemory } from "../limits/body-memory.ts";
import type { InFlight } from "../limits/in-flight.ts";

interface Capacity {
  readonly inFlight: InFlight;
  readonly bodyMemory: BodyMemory;
}

/** Adds the metrics of what the process can serve at once: requests in flight and bodies in memory. */
export function registerCapacity(registry: Registry, { inFlight, bodyMemory }: Capacity): void {
  addGauge(registry, "sluice_requests_in_flight", "Requests to models in flight.", () => inFlight.count);
  addGauge(
    registry,
    "sluice_body_memory_bytes",
    "Bytes of request bodies that are held in memory.",
    () => bodyMemory.heldBytes,
  );
}

/** Adds a gauge without labels, whose value is read at each scrape. */
function addGauge(registry: Registry, name: string, help: string, read: () => number): void {
  const gauge: Gauge = new Gauge({ name, help, registers: [], collect: () => gauge.set(read()) });
  registry.registerMetric(gauge);
}
