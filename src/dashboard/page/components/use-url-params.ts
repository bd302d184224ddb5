import { useSearchParams } from "wouter-preact";

/** Parameters of the page's URL; undefined: absent. */
type UrlParams<Name extends string> = Readonly<Partial<Record<Name, string>>>;

interface UrlState<Name extends string> {
  readonly params: UrlParams<Name>;
  /** Sets or, with undefined or the empty text, removes parameters. @param options.replace adds no entry to the history. */
  readonly setParams: (
    changes: Partial<Record<Name, string | undefined>>,
    options?: { replace?: boolean },
  ) => void;
}

/**
 * Keeps what a page shows in its URL, so that a view can be shared and the browser's back button works.
 * @param names the parameters that the page has.
 */
export function useUrlParams<Name extends string>(names: readonly Name[]): UrlState<Name> {
  const [search, setSearch] = useSearchParams();
  const params: Partial<Record<Name, string>> = {};
  for (const name of names) {
    const value = search.get(name);
    if (value !== null && value !== "") params[name] = value;
  }
  return {
    params,
    setParams: (changes, { replace = false } = {}) =>
      setSearch(
        (previous) => {
          const next = new URLSearchParams(previous);
          for (const [name, value] of Object.entries<string | undefined>(changes)) {
            if (value === undefined || value === "") next.delete(name);
            else next.set(name, value);
          }
          return next;
        },
        { replace },
      ),
  };
}
