/** Random numbers that are the same in every run with the same seed. */
export class SeededRandom {
  #state: number;

  /** @param seed an integer. */
  constructor(seed: number) {
    this.#state = seed;
  }

  /** Returns a number from 0 to 1, without 1, by the algorithm mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Returns true with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Returns an element of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)] as T;
  }

  /** Returns a name of an object with a weight for each name. */
  pickWeighted(weights: Readonly<Record<string, number>>): string {
    const entries = Object.entries(weights);
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      left -= weight;
      if (left < 0) return name;
    }
    return entries.at(-1)?.[0] ?? "";
  }

  /**
   * Returns a number from a log-normal distribution, as durations and token counts have.
   * @param spread standard deviation of the logarithm; with 0.5, 95 % of the numbers are within a factor of 2.7.
   */
  around(median: number, spread: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
    return median * Math.exp(spread * normal);
  }

  /** Returns random hexadecimal digits. */
  digits(count: number): string {
    return Array.from({ length: count }, () => Math.floor(this.next() * 16).toString(16)).join("");
  }
}
