import type { Memory } from "./inspector.ts";

/** How much larger the mean heap of the last quarter may be than that of the second. */
const HEAP_GROWTH_MAX = 1.1;
const MIB = 1024 * 1024;

/** What a gateway used at one moment, after a collection. */
interface Sample extends Memory {
  /** Share of the run that is over, from 0 to 1. */
  readonly progress: number;
  readonly descriptors: number;
}

/** The samples of one run. */
export class Samples {
  readonly #samples: Sample[] = [];

  add(sample: Sample): void {
    this.#samples.push(sample);
  }

  /** @returns how the heap has grown, if it has grown too much. */
  growth(): string | undefined {
    const [before, after] = this.#secondAndLast("heapUsed");
    if (after <= before * HEAP_GROWTH_MAX) return undefined;
    return `the mean heap grew from ${mib(before)} MiB in the second quarter to ${mib(after)} MiB in the last`;
  }

  /** Figures for the report: pairs are means of the second and of the last quarter. */
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
