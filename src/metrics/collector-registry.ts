import { Gauge, type MetricType, type Registry } from "prom-client";
import { createSingleRun } from "../single-run.ts";

/** A collector that takes longer has failed. Prometheus waits for 10 s by default. */
const DEADLINE_MS = 2_000;
const LOG_EVERY_MS = 60_000;
/** A read that hangs counts as a further failure after this time, so that an alert on the failures lasts as long. */
const COUNT_EVERY_MS = 60_000;

/** Describes a metric. */
export interface MetricDefinition {
  readonly type: "gauge" | "counter";
  readonly help: string;
}

/** A value of a metric, with its labels. */
export interface LabelledValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The values that a collector has read, by the names of its metrics. A metric that is absent or undefined has no value. */
export type Readings<Name extends string> = {
  readonly [Key in Name]?: number | readonly LabelledValue[] | undefined;
};

/** Reads the values of several metrics from one part of the gateway. */
export interface Collector<Name extends string> {
  /** The label `collector` of the metric of failures. */
  readonly name: string;
  readonly metrics: Readonly<Record<Name, MetricDefinition>>;
  /** Reads all values. If it fails or takes longer than the deadline, the metrics have no values in the scrape. */
  readonly read: () => Readings<Name> | Promise<Readings<Name>>;
  /** How long the result of a read is used again, even that of a failed one; default 0. */
  readonly cacheMs?: number;
  /** Default 2 s. */
  readonly deadlineMs?: number;
}

export interface CollectorRegistryOptions {
  readonly registry: Registry;
  readonly logger: { warn(fields: object, message: string): void };
}

/** Adds collectors to a registry, and isolates their failures from each other and from the scrape. */
export class CollectorRegistry {
  readonly #options: CollectorRegistryOptions;
  readonly #failures = new Map<string, number>();

  constructor(options: CollectorRegistryOptions) {
    this.#options = options;
    const definition: MetricDefinition = {
      type: "counter",
      help: "Reads of a collector that failed or took too long, so that its metrics had no values.",
    };
    const read = () => Array.from(this.#failures, ([collector, value]) => ({ labels: { collector }, value }));
    options.registry.registerMetric(
      new ReadMetric("sluice_collector_failures_total", definition, () => Promise.resolve(read())),
    );
  }

  /** Adds a collector. All metrics of a scrape share one read. */
  add<Name extends string>(collector: Collector<Name>): void {
    const { name, metrics } = collector;
    this.#failures.set(name, 0);
    const readSafely = this.#isolate(name, shareReads(collector));
    for (const [metric, definition] of Object.entries<MetricDefinition>(metrics)) {
      const readMetric = async (): Promise<readonly LabelledValue[]> => {
        const value = (await readSafely())[metric as Name];
        if (value === undefined) return [];
        return typeof value === "number" ? [{ labels: {}, value }] : value;
      };
      this.#options.registry.registerMetric(new ReadMetric(metric, definition, readMetric));
    }
  }

  /** Counts and logs the failures of a read. @returns a function that resolves to no values instead. */
  #isolate<Name extends string>(
    collector: string,
    read: () => Promise<Readings<Name>>,
  ): () => Promise<Readings<Name>> {
    let lastFailure: Promise<unknown> | undefined;
    let countedAt = -Infinity;
    let loggedAt = -Infinity;
    return async () => {
      const reading = read();
      try {
        return await reading;
      } catch (error) {
        // All metrics of a collector receive the same promise, and a failure counts once.
        if (reading !== lastFailure || performance.now() - countedAt >= COUNT_EVERY_MS) {
          lastFailure = reading;
          countedAt = performance.now();
          this.#failures.set(collector, (this.#failures.get(collector) ?? 0) + 1);
          if (performance.now() - loggedAt >= LOG_EVERY_MS) {
            loggedAt = performance.now();
            this.#options.logger.warn({ err: error, collector }, "metrics: collector failed, values omitted");
          }
        }
        return {};
      }
    };
  }
}

/** Makes calls share the current read, and the result of the last one for a time. */
function shareReads<Name extends string>({
  read,
  cacheMs = 0,
  deadlineMs = DEADLINE_MS,
}: Collector<Name>): () => Promise<Readings<Name>> {
  let endedAt = -Infinity;
  let last: Promise<Readings<Name>> | undefined;
  const run = createSingleRun(async () => {
    try {
      const result = await read();
      // The next scrape uses the result even if it was too late for the current one.
      last = Promise.resolve(result);
      return result;
    } finally {
      endedAt = performance.now();
    }
  }, deadlineMs);
  return () => {
    if (!last || performance.now() - endedAt >= cacheMs) last = run();
    return last;
  };
}

/** A metric whose values are read when Prometheus scrapes. */
class ReadMetric extends Gauge {
  readonly #head: { readonly name: string; readonly help: string; readonly type: MetricType };
  readonly #read: () => Promise<readonly LabelledValue[]>;

  constructor(name: string, { type, help }: MetricDefinition, read: () => Promise<readonly LabelledValue[]>) {
    super({ name, help, registers: [] });
    this.#head = { name, help, type: type as unknown as MetricType };
    this.#read = read;
  }

  override async get(): ReturnType<Gauge["get"]> {
    return { ...this.#head, aggregator: "sum", collect: () => {}, values: [...(await this.#read())] };
  }
}
