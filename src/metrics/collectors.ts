import type { Registry } from "prom-client";
import type { BodyMemory } from "../limits/body-memory.ts";
import type { InFlight } from "../limits/in-flight.ts";
import { registerCapacity } from "./capacity.ts";

/** The parts of the gateway whose state the metrics show. */
export interface MetricsSources {
  readonly inFlight: InFlight;
  readonly bodyMemory: BodyMemory;
}

/** Adds the metrics that are read from the parts of the gateway at each scrape. */
export function registerCollectors(registry: Registry, sources: MetricsSources): void {
  registerCapacity(registry, sources);
}
