import type { RefObject } from "preact";
import { useReducer, useRef } from "preact/hooks";
import type { LedgerPage, LedgerRow } from "../api/types.ts";

interface SteadyRows {
  readonly page: LedgerPage;
  /** Number of newer rows that are not shown yet. */
  readonly newerCount: number;
  /** Shows the newer rows. */
  readonly showNewer: () => void;
}

/**
 * Keeps the rows in place while the reader looks at them. A refresh then changes only the values of rows, and counts the newer
 * rows; otherwise it adds them.
 * @param latest the newest page of requests. @param view identifies what is shown; another view replaces the rows.
 * @param region the element with the rows.
 */
export function useSteadyRows(latest: LedgerPage, view: string, region: RefObject<HTMLElement>): SteadyRows {
  const shown = useRef<{ view: string; page: LedgerPage } | null>(null);
  const [, render] = useReducer((count: number) => count + 1, 0);
  if (shown.current === null || shown.current.view !== view || !isBeingRead(region.current))
    shown.current = { view, page: latest };
  const { page } = shown.current;
  const fresh = new Map(latest.data.map((row) => [row.id, row]));
  const firstId = page.data[0]?.id ?? "";
  return {
    page: { ...page, data: page.data.map((row): LedgerRow => fresh.get(row.id) ?? row) },
    newerCount: latest.data.filter(({ id }) => id > firstId).length,
    showNewer: () => {
      shown.current = { view, page: latest };
      render(0);
    },
  };
}

/** Whether the pointer or the focus is on the rows, or the page is scrolled down to them. */
function isBeingRead(element: HTMLElement | null): boolean {
  if (element === null) return false;
  return (
    element.matches(":hover") ||
    element.contains(document.activeElement) ||
    element.getBoundingClientRect().top < 0
  );
}
