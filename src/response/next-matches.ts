/**
 * Searches a text forward for several needles. It remembers the next match of each, so all searches together read the text only
 * once per needle, however many matches there are.
 */
export class NextMatches {
  readonly #text: Buffer;
  readonly #isMatch: (text: Buffer, at: number, length: number) => boolean;
  readonly #found = new Map<Buffer, number>();

  /** @param isMatch whether an occurrence of a needle counts; by default, each does. */
  constructor(text: Buffer, isMatch: (text: Buffer, at: number, length: number) => boolean = () => true) {
    this.#text = text;
    this.#isMatch = isMatch;
  }

  /** @param from never decreases between calls. @returns the position of the first match, or the length of the text. */
  find(needle: Buffer, from: number): number {
    const known = this.#found.get(needle) ?? -1;
    if (known >= from) return known;
    const text = this.#text;
    let at = text.indexOf(needle, from);
    while (at !== -1 && !this.#isMatch(text, at, needle.length))
      at = text.indexOf(needle, at + needle.length);
    if (at === -1) at = text.length;
    this.#found.set(needle, at);
    return at;
  }
}
