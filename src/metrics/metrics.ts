import { Registry } from "prom-client";
import type { MetricsConfig } from "../config/config.ts";
import type { RequestContext } from "../http/request-context.ts";
import { registerBuildInfo } from "./build-info.ts";
import { type MetricsServer, startMetricsServer } from "./metrics-server.ts";
import { type MetricsSources, registerCollectors } from "./collectors.ts";

/**
 * The metrics of the process. They are read when Prometheus scrapes; only {@link Metrics.recordRequest} runs for each request.
 * The module is imported only if `METRICS_PORT` is set.
 */
export class Metrics {
  readonly #config: MetricsConfig;
  readonly #registry = new Registry();
  #server: MetricsServer | undefined = undefined;

  constructor(config: MetricsConfig) {
    this.#config = config;
    registerBuildInfo(this.#registry);
  }

  /** Adds the metrics that are read from the parts of the gateway. Called once. */
  collectFrom(sources: MetricsSources): void {
    registerCollectors(this.#registry, sources, this.#config.keyLabel);
  }

  /** Counts a request that has ended. Called once for each request. */
  recordRequest(_context: RequestContext): void {}

  /** Starts to listen for scrapes. @returns the URL of the metrics. @throws if the port is unavailable. */
  async listen(): Promise<string> {
    this.#server = await startMetricsServer(this.#registry, this.#config);
    return this.#server.url;
  }

  /** Stops to listen. */
  async close(): Promise<void> {
    await this.#server?.stop();
  }
}
