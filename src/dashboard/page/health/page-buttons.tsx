import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Button } from "../components/controls.tsx";

/** The position in a list that is read page by page, newest first. */
export interface PagePosition {
  /** Id of the last entry of the previous page; undefined in the first page. */
  readonly before: string | undefined;
  readonly toOlder: (before: string) => void;
  readonly toNewer: () => void;
}

/** Remembers the pages that were shown, so that the reader can return to them. */
export function usePagePosition(): PagePosition {
  const [shown, setShown] = useState<readonly string[]>([]);
  return {
    before: shown.at(-1),
    toOlder: (before) => setShown([...shown, before]),
    toNewer: () => setShown(shown.slice(0, -1)),
  };
}

interface PageButtonsProps {
  /** Names the list, such as `alerts`. */
  readonly of: string;
  readonly position: PagePosition;
  /** Id of the last entry of this page; null if it is the last page. */
  readonly nextBefore: string | null;
}

/** Buttons for the next and the previous page of a list; nothing if everything is in one page. */
export function PageButtons({ of, position, nextBefore }: PageButtonsProps): JSX.Element | null {
  if (position.before === undefined && nextBefore === null) return null;
  return (
    <div class="pager">
      <Button size="small" disabled={position.before === undefined} onClick={position.toNewer}>
        Newer {of}
      </Button>
      <Button
        size="small"
        disabled={nextBefore === null}
        onClick={() => nextBefore !== null && position.toOlder(nextBefore)}
      >
        Older {of}
      </Button>
    </div>
  );
}
