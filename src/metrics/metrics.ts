import { Registry } from "prom-client";
import type { MetricsConfig } from "../config/config.ts";
import type { RequestContext } from "../http/request-context.ts";
import type { RequestRow } from "../metering/record.ts";
import type { ModelSource } from "./model-labels.ts";
import { RequestMetrics, type UnparsedRequest } from "./request-metrics.ts";
import { type MetricsServer, startMetricsServer } from "./metrics-server.ts";
import { type MetricsSources, registerCollectors } from "./collectors.ts";

/**
 * The metrics of the process. They are read when Prometheus scrapes; only {@link Metrics.recordRequest} runs for each request.
 * The module is imported only if `METRICS_PORT` is set.
 */
export class Metrics {
  readonly #config: MetricsConfig;
  readonly #registry = new Registry();
  readonly #requests: RequestMetrics;
  #models: ModelSource | undefined = undefined;
  #server: MetricsServer | undefined = undefined;

  constructor(config: MetricsConfig) {
    this.#config = config;
    this.#requests = new RequestMetrics(this.#registry, config.keyLabel);
  }

  /** Adds the metrics that are read from the parts of the gateway. Called once. */
  collectFrom(sources: MetricsSources): void {
    registerCollectors(this.#registry, sources, this.#config.keyLabel);
  }

  /** Counts a request that has ended. Called once for each request. */
  recordRequest(context: RequestContext): void {
    this.#requests.record(context);
  }

  /** Counts an error for bytes that could not be parsed as a request. */
  recordUnparsed(record: UnparsedRequest): void {
    this.#requests.recordUnparsed(record);
  }

  /** Counts tokens and cost of a request whose cost was looked up after its end. @param row the final row of the ledger. */
  recordSettledLater(row: RequestRow): void {
    this.#requests.recordSettledLater(row);
  }

  /** Sets the source of the list of models, whose ids are labels. Called once, before {@link start}. */
  setModels(source: ModelSource): void {
    this.#models = source;
  }

  /**
   * Starts to read the list of models in the background. No request waits for it. Called when the gateway accepts requests,
   * so that a gateway whose start fails again and again sends nothing to OpenRouter.
   */
  start(): void {
    if (this.#models) this.#requests.followModels(this.#models);
  }

  /** Starts to listen for scrapes. @returns the URL of the metrics. @throws if the port is unavailable. */
  async listen(): Promise<string> {
    this.#server = await startMetricsServer(this.#registry, this.#config);
    return this.#server.url;
  }

  /** Stops to listen. */
  async close(): Promise<void> {
    this.#requests.stop();
    await this.#server?.stop();
  }
}
