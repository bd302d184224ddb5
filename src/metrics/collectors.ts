import type { Registry } from "prom-client";
import { registerBudgets } from "./budgets.ts";
import { type BuildInfoSources, registerBuildInfo } from "./build-info.ts";
import { type CapacitySources, registerCapacity } from "./capacity.ts";
import { CollectorRegistry, type CollectorRegistryOptions } from "./collector-registry.ts";
import { type DecisionSources, registerDecisions } from "./decisions.ts";
import { type HealthSources, registerHealth } from "./health.ts";
import { registerLedger } from "./ledger.ts";
import { registerProcess } from "./process.ts";
import type { Persistence } from "../persistence.ts";

/** The parts of the gateway whose state the metrics show. */
export interface MetricsSources extends BuildInfoSources, CapacitySources, DecisionSources, HealthSources {
  /** undefined without a database. */
  readonly persistence: Persistence | undefined;
  readonly logger: CollectorRegistryOptions["logger"];
}

/**
 * Adds the metrics that are read from the parts of the gateway at each scrape.
 * @param keyLabel whether the names of keys and groups may appear (`METRICS_KEY_LABEL`).
 */
export function registerCollectors(registry: Registry, sources: MetricsSources, keyLabel: boolean): void {
  const { persistence, logger } = sources;
  const collectors = new CollectorRegistry({ registry, logger });
  registerBuildInfo(registry, sources);
  registerProcess(registry, collectors);
  registerCapacity(collectors, sources);
  registerDecisions(collectors, sources);
  registerHealth(collectors, sources);
  if (!persistence) return;
  registerLedger(collectors, persistence);
  if (keyLabel) registerBudgets(collectors, persistence.database);
}
