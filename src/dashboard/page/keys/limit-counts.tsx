import { Fragment, type JSX } from "preact";
import type { Limits } from "../api/types.ts";
import { formatCount } from "../format/numbers.ts";
import { COUNT_LABELS, COUNTS } from "./form-values.ts";

/** The limits of a key or a group that are no budgets, as entries of a list of fields. */
export function LimitCounts({ limits }: { readonly limits: Limits }): JSX.Element {
  return (
    <>
      {COUNTS.map((name) => (
        <Fragment key={name}>
          <dt>{COUNT_LABELS[name]}</dt>
          <dd>{limits[name] === null ? <span class="muted">no limit</span> : formatCount(limits[name])}</dd>
        </Fragment>
      ))}
    </>
  );
}
