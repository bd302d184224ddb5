import type { JSX } from "preact";
import type { Limits } from "../api/types.ts";
import { formatCount } from "../format/numbers.ts";
import { COUNT_LABELS, COUNTS } from "./form-values.ts";

/** The limits of a key or a group that are no budgets, one per line. */
export function LimitCounts({ limits }: { readonly limits: Limits }): JSX.Element {
  const names = COUNTS.filter((name) => limits[name] !== null);
  if (names.length === 0) return <span class="muted">no limit</span>;
  return (
    <>
      {names.map((name) => (
        <div key={name}>
          {formatCount(limits[name])} {COUNT_LABELS[name].toLowerCase()}
        </div>
      ))}
    </>
  );
}
