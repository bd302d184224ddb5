/** The label of everything that has no label of its own. */
export const OTHER = "other";

/** Bounds the number of series that one kind of label can create in the process. */
export class SeriesBound {
  #left: number;

  constructor(max: number) {
    this.#left = max;
  }

  /** Takes one of the series that are left. @returns false if none is left. */
  take(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}

/** A set of label values of bounded size. */
export class BoundedLabels {
  readonly #known = new Map<string, string>();
  readonly #max: number;
  readonly #maxChars: number;

  constructor(max: number, maxChars: number) {
    this.#max = max;
    this.#maxChars = maxChars;
  }

  has(label: string): boolean {
    return this.#known.has(label);
  }

  /**
   * Returns the text as a label, cut to the maximum length; `other` for a new label if the set is full. Equal texts get the
   * same string object, which stays in the CPU cache.
   */
  admit(text: string): string {
    const label = text.slice(0, this.#maxChars).toWellFormed();
    const known = this.#known.get(label);
    if (known !== undefined) return known;
    if (this.#known.size >= this.#max) return OTHER;
    this.#known.set(label, label);
    return label;
  }
}
