import { useSearch } from "wouter-preact";
import { useUrlParams } from "../components/use-url-params.ts";
import { type Dimension, DIMENSIONS } from "./dimensions.ts";
import { type Period, type PeriodId, toIso, toPeriod } from "./period.ts";

const NAMES = ["period", "from", "to", "by", "key", "model", "provider", "endpoint", "group"] as const;

/** The selection of requests that the page shows. It is in the URL. */
export interface Filter {
  readonly period: Period;
  /** The chosen breakdown; undefined: the default. */
  readonly by: string | undefined;
  /** The value of each dimension that is filtered. */
  readonly values: Readonly<Partial<Record<Dimension, string>>>;
  readonly setPeriod: (id: PeriodId) => void;
  readonly zoom: (from: number, to: number) => void;
  /** Returns from a zoom to the period that was chosen by name. */
  readonly endZoom: () => void;
  readonly setBy: (by: string) => void;
  /** @param value undefined: ends the filter of the dimension. */
  readonly setValue: (dimension: Dimension, value: string | undefined) => void;
  /** Returns the address of this page with one more filter. */
  readonly toHref: (dimension: Dimension, value: string) => string;
  /** Returns the address of the list of the same requests. @param more further filters of that page. */
  readonly toRequestsHref: (more: Readonly<Record<string, string>>) => string;
}

/** Reads and changes the selection of requests in the page's URL. */
export function useFilter(): Filter {
  const { params, setParams } = useUrlParams(NAMES);
  const search = useSearch();
  const values: Partial<Record<Dimension, string>> = {};
  for (const { id } of DIMENSIONS) if (params[id] !== undefined) values[id] = params[id];
  const period = toPeriod(params, Date.now());
  return {
    period,
    by: params.by,
    values,
    setPeriod: (id) => setParams({ period: id, from: undefined, to: undefined }),
    zoom: (from, to) => setParams({ from: toIso(from), to: toIso(to) }),
    endZoom: () => setParams({ from: undefined, to: undefined }),
    setBy: (by) => setParams({ by }, { replace: true }),
    setValue: (dimension, value) => setParams({ [dimension]: value }),
    toHref: (dimension, value) => {
      const next = new URLSearchParams(search);
      next.set(dimension, value);
      return `/overview?${next}`;
    },
    toRequestsHref: (more) => {
      // Without an end, the list also has the requests that arrive later.
      const end = period.id === undefined ? { to: toIso(period.to) } : {};
      return `/requests?${new URLSearchParams({ ...values, ...more, from: toIso(period.from), ...end })}`;
    },
  };
}
