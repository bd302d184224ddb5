import { Counter, Histogram, type Registry } from "prom-client";

// prom-client's `inc` and `observe` build a text of all labels for each call, which takes 300 to 480 ns. A request changes a
// dozen series, so the totals are numbers in objects of this component, and prom-client reads them when Prometheus scrapes.

type Labels = Readonly<Record<string, string>>;

/** Name, description and labels of a metric. */
export interface MetricDescription {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

/** The value of one series of a counter. */
export interface CounterSample {
  readonly labels: Labels;
  readonly value: number;
}

/** A counter whose series are read at each scrape. */
export class TotalsCounter extends Counter {
  readonly #read: () => CounterSample[];

  constructor({ name, help, labelNames }: MetricDescription, read: () => CounterSample[]) {
    super({ name, help, labelNames, registers: [] });
    this.#read = read;
  }

  override async get(): ReturnType<Counter["get"]> {
    return { ...(await super.get()), values: this.#read() };
  }
}

/** One series of a histogram. */
export class HistogramTotals {
  readonly labels: Labels;
  readonly #bounds: readonly number[];
  /** Number of observations per bucket, without those of smaller buckets. The last number counts those above all bounds. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds upper bounds of the buckets, in ascending order. */
  constructor(labels: Labels, bounds: readonly number[]) {
    this.labels = labels;
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    (this.#counts[bucket] as number)++;
    this.#sum += value;
  }

  get sum(): number {
    return this.#sum;
  }

  /** Returns the number of observations up to each bound, and the number of all observations as the last. */
  countUpToBounds(): number[] {
    let total = 0;
    return this.#counts.map((count) => (total += count));
  }
}

/** Name, description, labels and upper bounds of a histogram. */
export interface HistogramDescription extends MetricDescription {
  readonly bounds: readonly number[];
}

/** A histogram whose series are read at each scrape. */
export class TotalsHistogram extends Histogram {
  readonly #description: HistogramDescription;
  readonly #bucketLabels: readonly Labels[];
  readonly #read: () => HistogramTotals[];

  constructor(description: HistogramDescription, read: () => HistogramTotals[]) {
    const { name, help, labelNames, bounds } = description;
    super({ name, help, labelNames, buckets: [...bounds], registers: [] });
    this.#description = description;
    this.#bucketLabels = [...bounds.map(String), "+Inf"].map((le) => ({ le }));
    this.#read = read;
  }

  /** prom-client has chosen the name of this method; `Histogram.get` and the registry call it. */
  async getForPromString(): Promise<object> {
    const { name, help } = this.#description;
    return { name, help, type: "histogram", aggregator: "sum", values: this.#readSamples() };
  }

  #readSamples() {
    const { name } = this.#description;
    const [bucketName, sumName, countName] = [`${name}_bucket`, `${name}_sum`, `${name}_count`];
    const samples = [];
    for (const series of this.#read()) {
      const counts = series.countUpToBounds();
      const total = counts.at(-1) ?? 0;
      if (total === 0) continue;
      // prom-client formats `sharedLabels` once for each object, and keeps the text.
      const sharedLabels = series.labels;
      for (const [bucket, value] of counts.entries())
        samples.push({
          metricName: bucketName,
          labels: this.#bucketLabels[bucket] as Labels,
          sharedLabels,
          value,
        });
      samples.push({ metricName: sumName, labels: {}, sharedLabels, value: series.sum });
      samples.push({ metricName: countName, labels: {}, sharedLabels, value: total });
    }
    return samples;
  }
}

/** Adds a counter to the registry. @param read returns all series, none of which may become smaller or disappear. */
export function addCounter(
  registry: Registry,
  description: MetricDescription,
  read: () => CounterSample[],
): void {
  registry.registerMetric(new TotalsCounter(description, read));
}

/** Adds a histogram to the registry. @param read returns all series. Series without observations are omitted. */
export function addHistogram(
  registry: Registry,
  description: HistogramDescription,
  read: () => HistogramTotals[],
): void {
  registry.registerMetric(new TotalsHistogram(description, read));
}
