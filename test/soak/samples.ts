import type { Memory } from "./inspector.ts";

/** Largest allowed ratio of the mean heap in the last quarter of a run to the mean heap in its second quarter. */
const HEAP_GROWTH_MAX = 1.1;
const MIB = 1024 * 1024;

/** Resource usage of a gateway at one moment, after a garbage collection. */
interface Sample extends Memory {
  /** Elapsed part of the run, from 0 to 1. */
  readonly progress: number;
  readonly descriptors: number;
}

/** The samples of one run. */
export class Samples {
  readonly #samples: Sample[] = [];

  add(sample: Sample): void {
    this.#samples.push(sample);
  }

  /** Describes the growth of the heap; undefined if it is within the limit. */
  growth(): string | undefined {
    const [before, after] = this.#secondAndLast("heapUsed");
    if (after <= before * HEAP_GROWTH_MAX) return undefined;
    return `the mean heap grew from ${mib(before)} MiB in the second quarter to ${mib(after)} MiB in the last`;
  }

  /** Returns figures for the report. Each pair has the mean of the second quarter and the mean of the last quarter. */
  figures(): Record<string, unknown> {
    const [before, after] = this.#secondAndLast("heapUsed");
    return {
      heapMiB: [mib(before), mib(after)],
      heapGrowth: Number((after / before).toFixed(3)),
      externalMiB: this.#secondAndLast("external").map(mib),
      rssMiB: this.#secondAndLast("rss").map(mib),
      rssMiBMax: mib(Math.max(...this.#samples.map(({ rss }) => rss))),
      descriptorsMax: Math.max(...this.#samples.map(({ descriptors }) => descriptors)),
      samples: this.#samples.length,
    };
  }

  #secondAndLast(name: keyof Memory): [number, number] {
    return [this.#mean(1, name), this.#mean(3, name)];
  }

  #mean(quarter: number, name: keyof Memory): number {
    const samples = this.#samples.filter(({ progress }) => Math.floor(progress * 4) === quarter);
    return samples.reduce((sum, sample) => sum + sample[name], 0) / samples.length;
  }
}

function mib(bytes: number): number {
  return Number((bytes / MIB).toFixed(1));
}
