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
}

/** Reads and changes the selection of requests in the page's URL. */
export function useFilter(): Filter {
  const { params, setParams } = useUrlParams(NAMES);
  const search = useSearch();
  const values: Partial<Record<Dimension, string>> = {};
  for (const { id } of DIMENSIONS) if (params[id] !== undefined) values[id] = params[id];
  return {
    period: toPeriod(params, Date.now()),
    by: params.by,
    values,
    setPeriod: (period) => setParams({ period, from: undefined, to: undefined }),
    zoom: (from, to) => setParams({ from: toIso(from), to: toIso(to) }),
    endZoom: () => setParams({ from: undefined, to: undefined }),
    setBy: (by) => setParams({ by }, { replace: true }),
    setValue: (dimension, value) => setParams({ [dimension]: value }),
    toHref: (dimension, value) => {
      const next = new URLSearchParams(search);
      next.set(dimension, value);
      return `/overview?${next}`;
    },
  };
}
