import type { JSX } from "preact";
import { Button } from "../components/controls.tsx";
import { useUrlParams } from "../components/use-url-params.ts";

interface PagerProps {
  /** The entries of the page, such as `50 keys`. */
  readonly shown: string;
  readonly nextAfter: string | null;
}

/** The end of a list: leads to the next page, and back to the first. The browser's back button leads to the previous page. */
export function Pager({ shown, nextAfter }: PagerProps): JSX.Element {
  const { params, setParams } = useUrlParams(["after"]);
  return (
    <div class="pager">
      <span>{shown}</span>
      <span class="row">
        <Button
          size="small"
          disabled={params.after === undefined}
          onClick={() => setParams({ after: undefined })}
        >
          First page
        </Button>
        <Button
          size="small"
          disabled={nextAfter === null}
          onClick={() => setParams({ after: nextAfter ?? undefined })}
        >
          Next page
        </Button>
      </span>
    </div>
  );
}
