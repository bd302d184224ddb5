import type { JSX } from "preact";
import { formatShare } from "../format/numbers.ts";

/** A part of a whole as a percentage with a bar. */
export function ShareBar({ part, whole }: { part: string | number; whole: string | number }): JSX.Element {
  const share = Number(whole) === 0 ? 0 : Math.min(1, Number(part) / Number(whole));
  return (
    <span class="share">
      <span class="share-track" aria-hidden="true">
        <span style={{ width: `${share * 100}%` }} />
      </span>
      <span class="share-value">{formatShare(part, whole)}</span>
    </span>
  );
}
