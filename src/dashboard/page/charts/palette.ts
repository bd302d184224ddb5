/** Number of series colours; the last one is grey. */
export const SERIES_COLOURS = 8;

/** The token of the grey colour, for everything that has no series of its own. */
export const REST_COLOUR = `--series-${SERIES_COLOURS}`;

/** Resolves colour tokens of the present theme to values that a canvas accepts. */
export class Palette {
  readonly #probe: HTMLElement;

  /** @param parent the element whose theme applies. The palette adds an invisible element to it. */
  constructor(parent: HTMLElement) {
    this.#probe = document.createElement("span");
    this.#probe.hidden = true;
    parent.append(this.#probe);
  }

  /** Returns a colour such as `rgb(11, 92, 184)`. @param token such as `--series-1`. */
  resolve(token: string): string {
    // The value of the token itself is an expression, `light-dark(...)`, which only a property of type colour evaluates.
    this.#probe.style.color = `var(${token})`;
    return getComputedStyle(this.#probe).color;
  }

  /** Returns a font for the canvas, such as `12px system-ui`. @param size in CSS pixels. */
  font(size: number): string {
    return `${size}px ${getComputedStyle(this.#probe).fontFamily}`;
  }
}
